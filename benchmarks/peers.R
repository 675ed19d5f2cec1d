# What R needs for the same work: Rscript peers.R coxph|tmerge FOLDER; prints seconds, without reading the files.
suppressPackageStartupMessages(library(survival))
args <- commandArgs(trailingOnly = TRUE)
column <- function(name, n, what = "integer", size = 4) {
  readBin(file.path(args[2], paste0(name, ".bin")), what, n = n, size = size)
}
if (args[1] == "coxph") {
  n <- file.size(file.path(args[2], "start.bin")) / 4
  d <- data.frame(start = column("start", n), stop = column("stop", n), event = column("event", n),
                  bad = factor(column("bad", n)), contacts = factor(column("contacts", n)),
                  segment = column("segment", n))
  took <- system.time(fit <- coxph(Surv(start, stop, event) ~ bad + contacts + strata(segment), d, ties = "efron"))
  cat(took[["elapsed"]], coef(fit), "\n")
} else {
  n <- file.size(file.path(args[2], "entry.bin")) / 4
  m <- file.size(file.path(args[2], "day.bin")) / 4
  base <- data.frame(id = seq_len(n), time = column("exit", n), event = column("gone", n))
  bad <- data.frame(id = column("who", m), day = column("day", m))
  took <- system.time({
    made <- tmerge(base, base, id = id, event = event(time, event))
    made <- tmerge(made, bad, id = id, bad = cumtdc(day))
  })
  cat(took[["elapsed"]], nrow(made), "\n")
}

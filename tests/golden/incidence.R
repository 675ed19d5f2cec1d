# Tied Aalen-Johansen incidences and one-cause Kaplan-Meier of the simulated cohort, by segment.
# Run from the root of the repository: Rscript tests/golden/incidence.R

source("tests/golden/common.R")

rows <- read.csv(path("cohort_episodes.csv.gz"), colClasses = c(bad = "character", contacts = "character"))
rows$what <- factor(rows$cause, levels = 0:2, labels = c("censored", "defection", "other"))

incidence <- list()
km <- list()
for (segment in sort(unique(rows$segment))) {
  part <- rows[rows$segment == segment, ]
  times <- sort(unique(c(seq(30, max(part$stop), by = 30), max(part$stop))))

  # For several causes survfit gives the infinitesimal jackknife by customer as its standard error.
  states <- summary(survfit(Surv(start, stop, what) ~ 1, data = part, id = id), times = times)
  for (cause in c("defection", "other")) {
    column <- match(cause, states$states)
    incidence[[length(incidence) + 1]] <- data.frame(
      segment = segment, time = as.integer(times), cause = cause,
      pstate = states$pstate[, column], std_err = states$std.err[, column])
  }

  # Without `id` survfit uses Greenwood's formula; cutting a customer into episodes leaves it unchanged.
  curve <- survfit(Surv(start, stop, what == "defection") ~ 1, data = part)
  curve <- summary(curve, times = times)
  km[[length(km) + 1]] <- data.frame(
    segment = segment, time = as.integer(times), n_risk = as.integer(curve$n.risk),
    surv = curve$surv, std_err = curve$std.err)
}
save(do.call(rbind, incidence), "incidence.csv")
save(do.call(rbind, km), "km.csv")

# Tests of proportional hazards and Schoenfeld residuals of the Cox models of robust_errors.R.
# Run from the root of the repository, after robust_errors.R: Rscript tests/golden/proportionality.R

source("tests/golden/robust_common.R")

fits <- unique(read.csv(path("robust/coxph.csv"))[c("fit", "data", "model", "ties", "strata", "cluster")])
fits <- fits[fits$cluster == "id", ]
fits$strata[is.na(fits$strata)] <- ""

tests <- residuals_of <- list()
for (i in seq_len(nrow(fits))) {
  settings <- fits[i, c("fit", "data", "model", "ties", "strata")]
  rows <- read_data(settings$data)
  columns <- design_of(rows, settings$model)
  fit <- fit_cox(rows, settings$model, settings$ties, settings$strata)
  died <- sort(rows$stop[rows$cause == 1])
  transforms <- list(identity = "identity", km = "km", rank = "rank",
                     event_rank = function(time) vapply(time, function(t) mean(c(sum(died < t) + 1, sum(died <= t))), 0))
  for (transform in names(transforms)) {
    of_terms <- cox.zph(fit, transform = transforms[[transform]], terms = TRUE)
    of_columns <- cox.zph(fit, transform = transforms[[transform]], terms = FALSE)
    stopifnot(isTRUE(all.equal(of_terms$table["GLOBAL", ], of_columns$table["GLOBAL", ])))
    slopes <- apply(of_columns$y, 2, function(y) unname(coef(lm(y ~ of_columns$x))[2]))
    tests[[length(tests) + 1]] <- data.frame(
      settings, transform = transform, row.names = NULL,
      of = rep(c("term", "column", "model"), c(nrow(of_terms$table) - 1, ncol(columns), 1)),
      name = c(terms_of(settings$model), colnames(columns), ""),
      chisq = c(of_terms$table[-nrow(of_terms$table), 1], of_columns$table[, 1]),
      df = as.integer(c(of_terms$table[-nrow(of_terms$table), 2], of_columns$table[, 2])),
      p = c(of_terms$table[-nrow(of_terms$table), 3], of_columns$table[, 3]),
      slope = c(rep(NA_real_, nrow(of_terms$table) - 1), slopes, NA))
  }

  if (settings$ties != "efron") next
  # of the events of a day in a stratum together: their order is nobody's
  schoenfeld <- as.matrix(residuals(fit, type = "schoenfeld"))
  events <- rows[rows$cause == 1, ]
  stratum <- if (nzchar(settings$strata)) as.character(events[[settings$strata]]) else rep("", nrow(events))
  order_of_r <- order(stratum, events$stop)
  time <- events$stop[order_of_r]
  stopifnot(identical(as.integer(round(of_columns$time)), time))
  # at the maximum the score is zero
  stopifnot(max(abs(colSums(schoenfeld))) < 1e-8)
  day <- paste(stratum[order_of_r], time)
  first <- !duplicated(day)
  sums <- rowsum(schoenfeld, factor(day, levels = day[first]))
  cells <- expand.grid(term = seq_len(ncol(columns)), day = seq_len(sum(first)))
  residuals_of[[i]] <- data.frame(
    fit = settings$fit, stratum = stratum[order_of_r][first][cells$day], time = time[first][cells$day],
    events = as.integer(table(factor(day, levels = day[first])))[cells$day], term = colnames(columns)[cells$term],
    residual = sums[cbind(cells$day, cells$term)])
}
save(do.call(rbind, tests), "robust/proportionality.csv")
save(do.call(rbind, residuals_of), "robust/schoenfeld.csv")

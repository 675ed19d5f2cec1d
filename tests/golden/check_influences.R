# The influences of robust_errors.R, robust_curves.R and robust_grouped.R against derivatives in case weights, by
# differences. Writes nothing; stops where they differ.
# Run from the root of the repository, after those: Rscript tests/golden/check_influences.R

source("tests/golden/robust_common.R")

# The fourth-order derivative of f(weights) in the weight of the rows that are marked.
derivative <- function(f, marked, h = 1e-3) {
  at <- function(d) f(1 + d * marked)
  (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
}

read_result <- function(name) {
  table <- read.csv(path(paste0("robust/", name, ".csv")))
  for (column in intersect(c("strata", "stratum"), names(table))) table[[column]][is.na(table[[column]])] <- ""
  table
}

report <- function(what, difference, limit) {
  cat(sprintf("%-40s %.1e\n", what, difference))
  stopifnot(difference < limit)
}

# Cox: every household of the small study and of heart.
fits <- unique(read_result("coxph")[c("fit", "data", "model", "ties", "strata", "cluster")])
for (data in c("heart", "small")) {
  rows <- read_data(data)
  influences <- read_result(paste0("dfbeta_", data))
  for (i in which(fits$data == data & fits$cluster == "household")) {
    part <- influences[influences$fit == fits$fit[i], ]
    coefficients <- function(w) coef(fit_cox(rows, fits$model[i], fits$ties[i], fits$strata[i], weights = w))
    members <- unique(part$member)
    worst <- max(vapply(members, function(m)
      max(abs(derivative(coefficients, rows$household == m) - part$dfbeta[part$member == m])), 0))
    report(paste("coxph", data, fits$ties[i], fits$strata[i]), worst, 1e-10)
  }
}

# Curves: every household, without strata.
for (data in c("small", "pbcseq")) {
  rows <- read_data(data)
  n <- nrow(rows)
  rows$spell <- cumsum(c(TRUE, rows$id[-1] != rows$id[-n] | rows$start[-1] != rows$stop[-n]))
  rows$what <- factor(rows$cause, levels = 0:2, labels = c("censored", "event", "other"))
  for (kind in c("incidence", "kaplan_meier")) {
    curves <- read_result(kind)
    curve <- unique(curves$curve[curves$data == data & curves$cluster == "household" & curves$strata == ""])
    part <- read_result(paste0(kind, "_influence"))
    part <- part[part$curve == curve, ]
    times <- unique(part$time)
    estimates <- if (kind == "incidence") function(w) {
      fit <- survfit(Surv(start, stop, what) ~ 1, data = rows, id = spell, weights = w, se.fit = FALSE)
      fit$pstate[match(times, fit$time), match(c("event", "other"), fit$states)]
    } else function(w) {
      fit <- survfit(Surv(start, stop, cause == 1) ~ 1, data = rows, weights = w)
      cbind(fit$surv, fit$cumhaz)[match(times, fit$time), ]
    }
    # survfit looks the weights up where the formula was made
    environment(estimates) <- list2env(list(rows = rows, times = times), parent = globalenv())
    worst <- max(vapply(unique(part$member), function(m)
      max(abs(derivative(estimates, rows$household == m) - as.matrix(part[part$member == m, 4:5]))), 0))
    report(paste(kind, data), worst, 1e-11)
  }
}

# Grouped hazards: the first thirty households, without strata; the steps of glm leave an error of 1e-9.
rows <- read_data("contacts")
long <- rows[rep(seq_len(nrow(rows)), rows$stop - rows$start), ]
long$time <- rows$start[rep(seq_len(nrow(rows)), rows$stop - rows$start)] + sequence(rows$stop - rows$start)
long$y <- as.integer(long$time == long$stop & long$cause == 1)
x <- design_of(long, "bad + linear(contacts)")
full <- cbind(model.matrix(~ factor(time) - 1, long), x)
# weights of binomial data that are no integers: a warning of no concern
coefficients <- function(w) tail(suppressWarnings(glm.fit(
  full, long$y, weights = w, family = binomial("cloglog"), control = list(epsilon = 1e-15, maxit = 200)))$coefficients, ncol(x))
grouped <- unique(read_result("grouped")[c("fit", "strata", "cluster")])
part <- read_result("grouped_influence")
part <- part[part$fit == grouped$fit[grouped$strata == "" & grouped$cluster == "household"], ]
worst <- vapply(1:30, function(m) {
  exact <- derivative(coefficients, long$household == m)
  of <- part[part$member == m, ]
  c(max(abs(exact - of$influence_observed)), max(abs(exact - of$influence_expected)))
}, numeric(2))
report("grouped, observed information", max(worst[1, ]), 1e-7)
report("grouped, expected information", max(worst[2, ]), 1e-2)
stopifnot(max(worst[2, ]) > 1e-4)

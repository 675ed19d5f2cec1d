# Incidences with competing causes and Kaplan-Meier curves with robust errors, by customer and by household.
# Run from the root of the repository, after robust_data.R: Rscript tests/golden/robust_curves.R

source("tests/golden/robust_common.R")

# survfit takes no customer who is away for a while, so an unbroken stretch counts as one subject; its influence
# is added to that of the customer's others below.
with_spells <- function(rows) {
  rows <- rows[order(rows$id, rows$start), ]
  n <- nrow(rows)
  rows$spell <- cumsum(c(TRUE, rows$id[-1] != rows$id[-n] | rows$start[-1] != rows$stop[-n]))
  rows
}

by_cluster <- function(influence, names, rows, cluster) {
  rowsum(influence, rows[[cluster]][match(as.integer(names), rows$spell)])
}
norms <- function(influence) sqrt(colSums(influence^2))

# Three event times: a quarter, half and three quarters along.
three <- function(at) at[ceiling(length(at) * c(0.25, 0.5, 0.75))]

# Of the two long studies by household only, of the longest without strata only: to keep the files small.
is_kept <- function(settings) {
  !(settings$data %in% c("large", "pbcseq") && settings$cluster == "id") &&
    !(settings$data == "large" && nzchar(settings$strata))
}

number <- 0
curves <- influences <- list()

# For several causes survfit 3.5-3 clusters by `id` and ignores `cluster`: its influences are added up here.
incidence_of <- function(part, settings) {
  part$what <- factor(part$cause, levels = 0:2, labels = c("censored", "event", "other"))
  fit <- survfit(Surv(start, stop, what) ~ 1, data = part, id = spell, influence = TRUE)
  at <- which(rowSums(fit$n.event) > 0)
  states <- match(c("(s0)", "event", "other"), fit$states)
  names <- dimnames(fit$influence.pstate)[[1]]
  # the first of the times in the influences is the start
  sums <- lapply(states, function(s) by_cluster(fit$influence.pstate[, at + 1, s], names, part, settings$cluster))
  errors <- lapply(sums, norms)
  if (settings$cluster == "id" && !anyDuplicated(unique(part[c("id", "spell")])$id))
    stopifnot(isTRUE(all.equal(errors, lapply(states, function(s) fit$std.err[at, s]))))
  curves[[number]] <<- data.frame(
    curve = number, settings, time = as.integer(fit$time[at]), at_risk = fit$n.risk[at, states[1]],
    events = fit$n.event[at, states[2]], other_exits = fit$n.event[at, states[3]],
    survival = fit$pstate[at, states[1]], survival_robust_se = errors[[1]],
    incidence = fit$pstate[at, states[2]], incidence_robust_se = errors[[2]],
    incidence_other = fit$pstate[at, states[3]], incidence_other_robust_se = errors[[3]])
  if (is_kept(settings))
    for (i in three(seq_along(at)))
      influences[[length(influences) + 1]] <<- data.frame(
        curve = number, time = as.integer(fit$time[at[i]]), member = as.integer(rownames(sums[[1]])),
        incidence = unname(sums[[2]][, i]), incidence_other = unname(sums[[3]][, i]))
}

kaplan_meier_of <- function(part, settings) {
  part$member <- part[[settings$cluster]]
  model <- Surv(start, stop, cause == 1) ~ 1
  fit <- survfit(model, data = part, id = spell, cluster = member, robust = TRUE, influence = TRUE)
  plain <- summary(survfit(model, data = part), times = fit$time)
  at <- which(fit$n.event > 0)
  stopifnot(!fit$logse, identical(fit$time, plain$time), isTRUE(all.equal(fit$surv, plain$surv)),
            isTRUE(all.equal(unname(norms(fit$influence.surv)), fit$std.err)),
            isTRUE(all.equal(unname(norms(fit$influence.chaz)), fit$std.chaz)),
            identical(as.integer(rownames(fit$influence.surv)), sort(unique(part$member))))
  curves[[number]] <<- data.frame(
    curve = number, settings, time = as.integer(fit$time[at]), at_risk = as.integer(fit$n.risk[at]),
    events = as.integer(fit$n.event[at]), survival = fit$surv[at], greenwood_se = plain$std.err[at],
    robust_se = fit$std.err[at], cumulative_hazard = fit$cumhaz[at], cumulative_hazard_robust_se = fit$std.chaz[at])
  if (is_kept(settings))
    for (i in three(at))
      influences[[length(influences) + 1]] <<- data.frame(
        curve = number, time = as.integer(fit$time[i]), member = as.integer(rownames(fit$influence.surv)),
        survival = unname(fit$influence.surv[, i]), cumulative_hazard = unname(fit$influence.chaz[, i]))
}

of_each <- function(studies, f) {
  number <<- 0
  curves <<- influences <<- list()
  for (data in names(studies)) {
    rows <- with_spells(read_data(data))
    for (strata in c("", studies[[data]])) for (cluster in c("id", "household")) {
      for (stratum in if (nzchar(strata)) sort(unique(rows[[strata]])) else "") {
        number <<- number + 1
        part <- if (nzchar(strata)) rows[rows[[strata]] == stratum, ] else rows
        f(part, data.frame(data = data, strata = strata, stratum = as.character(stratum), cluster = cluster))
      }
    }
  }
}

several <- c(pbcseq = "treated", small = "segment", large = "segment")
of_each(several, incidence_of)
save(do.call(rbind, curves), "robust/incidence.csv")
save(do.call(rbind, influences), "robust/incidence_influence.csv")

of_each(c(heart = "surgery", jasa1 = "surgery", cgd = "inherit", several), kaplan_meier_of)
save(do.call(rbind, curves), "robust/kaplan_meier.csv")
save(do.call(rbind, influences), "robust/kaplan_meier_influence.csv")

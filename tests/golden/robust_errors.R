# Cox models with robust errors, by customer and by household: coefficients, covariances, and what each cluster adds.
# Run from the root of the repository, after robust_data.R: Rscript tests/golden/robust_errors.R

source("tests/golden/robust_common.R")

coefficients <- covariances <- influences <- scores <- baselines <- list()
number <- 0

for (data in names(models)) for (model in names(models[[data]])) for (strata in models[[data]][[model]]) {
  rows <- read_data(data)
  terms <- colnames(design_of(rows, model))
  p <- length(terms)
  for (ties in c("efron", "breslow")) for (cluster in c("id", "household")) {
    number <- number + 1
    fit <- fit_cox(rows, model, ties, strata, cluster = rows[[cluster]])
    # the sums over a cluster, in the order of its number
    influence <- residuals(fit, type = "dfbeta", collapse = rows[[cluster]])
    influence <- matrix(influence, ncol = p)
    members <- sort(unique(rows[[cluster]]))
    stopifnot(
      nrow(influence) == length(members),
      isTRUE(all.equal(influence, unname(rowsum(as.matrix(residuals(fit, type = "dfbeta")), rows[[cluster]])))),
      isTRUE(all.equal(crossprod(influence), fit$var, tolerance = 1e-12, check.attributes = FALSE)))

    coefficients[[number]] <- data.frame(
      fit = number, data = data, model = model, ties = ties, strata = strata, cluster = cluster, term = terms,
      coef = unname(coef(fit)), se = sqrt(diag(fit$naive.var)), robust_se = sqrt(diag(fit$var)),
      loglik = fit$loglik[2], events = as.integer(fit$nevent), clusters = length(members),
      event_clusters = length(unique(rows[[cluster]][rows$cause == 1])))
    pairs <- expand.grid(other = seq_len(p), term = seq_len(p))
    at <- cbind(pairs$term, pairs$other)
    covariances[[number]] <- data.frame(
      fit = number, term = terms[pairs$term], other = terms[pairs$other],
      covariance = fit$naive.var[at], robust_covariance = fit$var[at])
    if (data == "small") {
      cells <- expand.grid(term = seq_len(p), member = seq_along(members))
      score <- rowsum(as.matrix(residuals(fit, type = "score")), rows[[cluster]])
      stopifnot(isTRUE(all.equal(unname(score %*% fit$naive.var), influence)))
      scores[[number]] <- data.frame(fit = number, member = members[cells$member], term = terms[cells$term],
                                     score = score[cbind(cells$member, cells$term)])
    }
    # the cumulative hazard of a customer whose terms are all 0
    if (cluster == "id") {
      baseline <- basehaz(fit, centered = FALSE)
      of <- if (nzchar(strata)) sub(".*=", "", as.character(baseline$strata)) else rep("", nrow(baseline))
      kept <- c(TRUE, of[-1] != of[-nrow(baseline)] | diff(baseline$hazard) > 0) & baseline$hazard > 0
      baselines[[number]] <- data.frame(fit = number, stratum = of, time = as.integer(baseline$time),
                                        cumulative_hazard = baseline$hazard)[kept, ]
    }
    # of the two long studies by household only, of the longest for Efron's method only: to keep the files small
    if (!(data %in% c("large", "pbcseq") && cluster == "id") && !(data == "large" && ties == "breslow")) {
      cells <- expand.grid(term = seq_len(p), member = seq_along(members))
      influences[[data]] <- rbind(influences[[data]], data.frame(
        fit = number, member = members[cells$member], term = terms[cells$term],
        dfbeta = influence[cbind(cells$member, cells$term)]))
    }
  }
}

save(do.call(rbind, coefficients), "robust/coxph.csv")
save(do.call(rbind, covariances), "robust/coxph_covariance.csv")
save(do.call(rbind, scores), "robust/scores_small.csv")
save(do.call(rbind, baselines), "robust/baseline.csv")
for (data in names(influences)) save(influences[[data]], paste0("robust/dfbeta_", data, ".csv"))

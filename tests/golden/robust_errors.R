# Cox models with robust errors, by customer and by household: coefficients, covariances, and what each cluster adds.
# Run from the root of the repository, after robust_data.R: Rscript tests/golden/robust_errors.R

source("tests/golden/robust_common.R")

coefficients <- covariances <- influences <- list()
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
      loglik = fit$loglik[2], events = as.integer(fit$nevent), clusters = length(members))
    pairs <- expand.grid(other = seq_len(p), term = seq_len(p))
    at <- cbind(pairs$term, pairs$other)
    covariances[[number]] <- data.frame(
      fit = number, term = terms[pairs$term], other = terms[pairs$other],
      covariance = fit$naive.var[at], robust_covariance = fit$var[at])
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
for (data in names(influences)) save(influences[[data]], paste0("robust/dfbeta_", data, ".csv"))

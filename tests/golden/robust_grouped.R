# Complementary log-log regression of grouped times with clustered errors, in base R.
# Run from the root of the repository, after robust_data.R: Rscript tests/golden/robust_grouped.R

source("tests/golden/robust_common.R")

rows <- read_data("contacts")
model <- "bad + linear(contacts)"

# A row for every time at risk, with a baseline for each time (and stratum).
long <- rows[rep(seq_len(nrow(rows)), rows$stop - rows$start), ]
long$time <- rows$start[rep(seq_len(nrow(rows)), rows$stop - rows$start)] + sequence(rows$stop - rows$start)
long$y <- as.integer(long$time == long$stop & long$cause == 1)
x <- design_of(long, model)
terms <- colnames(x)

# By row, of the log-likelihood in the linear predictor.
derivatives <- function(full, y, theta) {
  h <- exp(drop(full %*% theta))
  p <- -expm1(-h)
  list(loglik = ifelse(y == 1, log(p), -h), slope = (y - p) * h / p, expected = h^2 * (1 - p) / p,
       observed = ifelse(y == 1, h / expm1(h) * (h / p - 1), h))
}

coefficients <- covariances <- influences <- list()
number <- 0
for (strata in c("", "segment")) {
  cell <- if (nzchar(strata)) interaction(long$time, long[[strata]], drop = TRUE) else factor(long$time)
  # every baseline can be estimated: it has events, and customers who stay
  stopifnot(tapply(long$y, cell, sum) > 0, tapply(1 - long$y, cell, sum) > 0)
  full <- cbind(model.matrix(~ cell - 1), x)
  fit <- glm.fit(full, long$y, family = binomial("cloglog"), control = list(epsilon = 1e-15, maxit = 100))
  # Fisher's steps of glm leave an error of 1e-9; Newton's end it
  theta <- fit$coefficients
  for (step in 1:4) {
    at <- derivatives(full, long$y, theta)
    theta <- theta + drop(solve(crossprod(full, full * at$observed), colSums(full * at$slope)))
  }
  at <- derivatives(full, long$y, theta)
  scores <- full * at$slope
  expected <- at$expected
  observed <- at$observed
  stopifnot(max(abs(theta - fit$coefficients)) < 1e-7, max(abs(colSums(scores))) < 1e-11)
  inverse <- list(expected = solve(crossprod(full, full * expected)), observed = solve(crossprod(full, full * observed)))
  last <- seq(ncol(full) - length(terms) + 1, ncol(full))
  loglik <- sum(at$loglik)

  for (cluster in c("id", "household")) {
    number <- number + 1
    sums <- rowsum(scores, long[[cluster]])
    influence <- lapply(inverse, function(v) (sums %*% v)[, last])
    robust <- lapply(influence, crossprod)
    coefficients[[number]] <- data.frame(
      fit = number, data = "contacts", model = model, strata = strata, cluster = cluster, term = terms,
      coef = unname(theta[last]), se_expected = sqrt(diag(inverse$expected)[last]),
      se_observed = sqrt(diag(inverse$observed)[last]), robust_se_expected = sqrt(diag(robust$expected)),
      robust_se_observed = sqrt(diag(robust$observed)), loglik = loglik, events = sum(long$y), clusters = nrow(sums),
      event_clusters = length(unique(rows[[cluster]][rows$cause == 1])))
    pairs <- expand.grid(other = seq_along(terms), term = seq_along(terms))
    cell_of <- cbind(pairs$term, pairs$other)
    covariances[[number]] <- data.frame(
      fit = number, term = terms[pairs$term], other = terms[pairs$other],
      covariance_expected = inverse$expected[last, last][cell_of], covariance_observed = inverse$observed[last, last][cell_of],
      robust_covariance_expected = robust$expected[cell_of], robust_covariance_observed = robust$observed[cell_of])
    if (cluster == "id") next  # influences by household only, to keep the file small
    cells <- expand.grid(term = seq_along(terms), member = seq_len(nrow(sums)))
    cell_of <- cbind(cells$member, cells$term)
    influences[[number]] <- data.frame(
      fit = number, member = as.integer(rownames(sums))[cells$member], term = terms[cells$term],
      influence_expected = influence$expected[cell_of], influence_observed = influence$observed[cell_of])
  }
}
save(do.call(rbind, coefficients), "robust/grouped.csv")
save(do.call(rbind, covariances), "robust/grouped_covariance.csv")
save(do.call(rbind, influences), "robust/grouped_influence.csv")

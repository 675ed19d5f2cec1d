# Cox regression with Firth's penalty where the likelihood has no maximum, in base R.
# Run from the root of the repository: Rscript tests/golden/firth.R
#
# Maximises loglik + log|information| / 2. Each event of Efron's or Breslow's likelihood is a draw from the risk set, in
# which those of the tie may count in part: score, information and its slope are moments of the covariates in it.

source("tests/golden/robust_common.R")

# Nobody with level "c" of x has the event.
set.seed(20260902)
n <- 90
rows <- data.frame(id = seq_len(n), household = (seq_len(n) + 1) %/% 2, x = sample(c("a", "b", "c"), n, TRUE),
                   y = sample(0:3, n, TRUE), segment = sample(c("p", "q"), n, TRUE))
time <- ceiling(rexp(n, 0.05 * exp(0.5 * (rows$x == "b") + 0.2 * rows$y)))
rows$start <- ifelse(runif(n) < 0.25, sample(3, n, TRUE) * 2, 0)
rows$stop <- rows$start + pmin(time, 15)
rows$cause <- as.integer(time <= 15 & rows$x != "c")
rows <- rows[c("id", "household", "start", "stop", "cause", "x", "y", "segment")]
rows[] <- lapply(rows, function(v) if (is.numeric(v)) as.integer(v) else v)
save(rows, "robust/data_monotone.csv")

# Weights in the risk set of every event: a row for each.
draws <- function(rows, ties, strata) {
  stratum <- if (nzchar(strata)) rows[[strata]] else rep("", nrow(rows))
  result <- list()
  for (s in unique(stratum)) for (t in sort(unique(rows$stop[rows$cause == 1 & stratum == s]))) {
    at_risk <- stratum == s & rows$start < t & rows$stop >= t
    died <- at_risk & rows$cause == 1 & rows$stop == t
    d <- sum(died)
    for (k in seq_len(d) - 1)
      result[[length(result) + 1]] <- list(weight = at_risk - (ties == "efron") * died * k / d, share = died / d)
  }
  result
}

moments <- function(x, at, beta) {
  p <- ncol(x)
  loglik <- 0
  score <- numeric(p)
  information <- matrix(0, p, p)
  slope <- array(0, c(p, p, p))
  for (draw in at) {
    r <- draw$weight * exp(drop(x %*% beta))
    q <- r / sum(r)
    mean <- colSums(q * x)
    centred <- sweep(x, 2, mean)
    loglik <- loglik + sum(draw$share * drop(x %*% beta)) - log(sum(r))
    score <- score + colSums(draw$share * x) - mean
    information <- information + crossprod(centred, q * centred)
    for (j in seq_len(p)) slope[, , j] <- slope[, , j] + crossprod(centred, q * centred[, j] * centred)
  }
  list(loglik = loglik, score = score, information = information, slope = slope)
}

modified_score <- function(m) {
  inverse <- solve(m$information)
  m$score + vapply(seq_along(m$score), function(j) sum(inverse * m$slope[, , j]) / 2, 0)
}

fit_firth <- function(model, ties, strata) {
  x <- design_of(rows, model)
  at <- draws(rows, ties, strata)
  penalised <- function(beta) {
    m <- moments(x, at, beta)
    m$loglik + as.numeric(determinant(m$information)$modulus) / 2
  }
  # a search that knows no derivative finds the region, Newton's method with a slope by differences the top
  beta <- optim(numeric(ncol(x)), penalised, control = list(fnscale = -1, reltol = 1e-12, maxit = 5000))$par
  for (step in 1:20) {
    h <- 1e-5 * diag(ncol(x))
    jacobian <- apply(h, 1, function(e) (modified_score(moments(x, at, beta + e)) - modified_score(moments(x, at, beta - e))) / 2e-5)
    beta <- beta - drop(solve(matrix(jacobian, ncol(x)), modified_score(moments(x, at, beta))))
  }
  m <- moments(x, at, beta)
  stopifnot(max(abs(modified_score(m))) < 1e-12)

  # the parts without penalty against coxph, which takes no step
  part <- rows
  part$design <- x
  formula <- Surv(start, stop, cause) ~ design
  if (nzchar(strata)) formula <- update(formula, ~ . + strata(segment))
  there <- coxph(formula, data = part, ties = ties, init = beta, control = coxph.control(iter.max = 0))
  stopifnot(isTRUE(all.equal(there$loglik[1], m$loglik, tolerance = 1e-12)),
            isTRUE(all.equal(unname(there$var), unname(solve(m$information)), tolerance = 1e-9)))
  data.frame(data = "monotone", model = model, ties = ties, strata = strata, term = colnames(x), coef = unname(beta),
             se = sqrt(diag(solve(m$information))), loglik = m$loglik, penalised_loglik = penalised(beta),
             events = sum(rows$cause))
}

results <- list()
for (model in c("x", "x + linear(y)")) for (ties in c("efron", "breslow")) for (strata in c("", "segment"))
  results[[length(results) + 1]] <- fit_firth(model, ties, strata)
save(do.call(rbind, results), "robust/firth.csv")

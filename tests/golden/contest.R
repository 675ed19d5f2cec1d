# Log likelihoods of rival Cox models of the simulated cohort.
# Run from the root of the repository: Rscript tests/golden/contest.R

source("tests/golden/common.R")

rows <- read.csv(path("cohort_episodes.csv.gz"), colClasses = c(bad = "character", contacts = "character"))

loglik <- function(terms) {
  formula <- as.formula(paste("Surv(start, stop, cause == 1) ~", terms, "+ strata(segment)"))
  result <- coxph(formula, data = rows, ties = "efron", control = tight)
  data.frame(terms = terms, loglik = result$loglik[2], events = result$nevent)
}

save(rbind(loglik("bad"), loglik("contacts"), loglik("bad + contacts")), "contest.csv")

# Cox models of the simulated cohort: Efron and Breslow, with and without strata, robust by customer.
# Run from the root of the repository: Rscript tests/golden/cohort.R

source("tests/golden/common.R")

rows <- read.csv(path("cohort_episodes.csv.gz"), colClasses = c(bad = "character", contacts = "character"))
rows$bad <- factor(rows$bad, levels = c("0", "1", "2", "3+"))
rows$contacts <- factor(rows$contacts, levels = c("0", "1-2", "3-5", "6+"))

fit <- function(ties, strata = "") {
  formula <- Surv(start, stop, cause == 1) ~ bad + contacts
  if (nzchar(strata)) formula <- update(formula, ~ . + strata(segment))
  result <- coxph(formula, data = rows, ties = ties, cluster = id, control = tight)
  data.frame(model = "defection", ties = ties, strata = strata, term = names(coef(result)),
             coef = unname(coef(result)), se = unname(sqrt(diag(result$naive.var))),
             robust_se = unname(sqrt(diag(result$var))), loglik = result$loglik[2])
}

save(rbind(fit("efron"), fit("breslow"), fit("efron", "segment"), fit("breslow", "segment")),
     "cohort_coxph.csv")

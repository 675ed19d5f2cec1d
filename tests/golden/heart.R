# Stanford heart transplants, in both forms the survival package has them.
# Run from the root of the repository: Rscript tests/golden/heart.R
#
# heart: 172 rows, times shifted by a day and one tie broken at half a day, age centred at 48.
# jasa1: 170 rows in whole days, those who died on the day of acceptance left out.

source("tests/golden/common.R")

columns <- c("id", "start", "stop", "event", "age", "surgery", "transplant", "year")
data <- list(heart = survival::heart, jasa1 = survival::jasa1)
for (name in names(data)) {
  data[[name]]$transplant <- as.integer(as.character(data[[name]]$transplant))
  save(data[[name]][columns], paste0(name, ".csv"))
}

alone <- Surv(start, stop, event) ~ transplant
interaction <- Surv(start, stop, event) ~ (age + surgery) * transplant
stratified <- Surv(start, stop, event) ~ age + transplant + strata(surgery)

fit <- function(name, model, formula, ties, strata = "") {
  result <- coxph(formula, data = data[[name]], ties = ties, control = tight)
  data.frame(data = name, model = model, ties = ties, strata = strata, term = names(coef(result)),
             coef = unname(coef(result)), se = unname(sqrt(diag(vcov(result)))),
             loglik = result$loglik[2])
}

results <- list()
for (name in names(data)) {
  for (ties in c("efron", "breslow")) {
    results <- c(results, list(
      fit(name, "transplant", alone, ties),
      fit(name, "interaction", interaction, ties),
      fit(name, "stratified", stratified, ties, "surgery")))
  }
}
save(do.call(rbind, results), "heart_coxph.csv")

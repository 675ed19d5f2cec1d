# Events, exposure and rates by interval, and Poisson regressions of them: heart transplants and the simulated cohort.
# Run from the root of the repository, after heart.R and simulate_cohort.py: Rscript tests/golden/rates.R

source("tests/golden/common.R")

heart <- read.csv(path("jasa1.csv"))
cohort <- read.csv(path("cohort_episodes.csv.gz"), colClasses = c(bad = "character", contacts = "character"))
cohort$event <- as.integer(cohort$cause == 1)
cohort$bad <- factor(cohort$bad, levels = c("0", "1", "2", "3+"))
cohort$contacts <- factor(cohort$contacts, levels = c("0", "1-2", "3-5", "6+"))

# survSplit makes an interval (a, b], so a death on a cut belongs before it.
split_at <- function(data, edges) {
  parts <- survSplit(Surv(start, stop, event) ~ ., data = data, cut = edges, episode = "interval", id = "row")
  parts$days <- parts$stop - parts$start
  parts$interval <- findInterval(parts$start, edges)
  parts[parts$start >= edges[1] & parts$stop <= edges[length(edges)], ]
}

crude <- function(name, data, edges, stratum) {
  parts <- split_at(data, edges)
  sums <- aggregate(cbind(event, days) ~ interval + parts[[stratum]], data = parts, FUN = sum)
  names(sums)[2] <- "level"

  # a second way to the same exposure
  widest <- c(edges[-length(edges)], max(edges) + (max(data$stop) == max(edges)))
  data$band <- tcut(rep(0, nrow(data)), widest)  # its value where the clock is 0
  data$level <- data[[stratum]]
  years <- pyears(Surv(start, stop, event) ~ band + level, data = data, scale = 1)
  stopifnot(isTRUE(all.equal(as.vector(years$pyears), sums$days)))

  limits <- cipoisson(sums$event, sums$days, p = 0.95, method = "exact")
  data.frame(data = name, stratum = stratum, level = sums$level, start = edges[sums$interval],
             stop = edges[sums$interval + 1], events = sums$event, exposure = sums$days,
             rate = sums$event / sums$days, low = limits[, "lower"], high = limits[, "upper"])
}

# Rows of one customer are put together in the robust error.
regression <- function(name, model, data, edges, terms, stratum = "") {
  parts <- split_at(data, edges)
  parts$block <- if (nzchar(stratum)) interaction(parts$interval, parts[[stratum]], drop = TRUE) else factor(parts$interval)
  result <- glm(update(terms, event ~ block + . - 1 + offset(log(days))), data = parts, family = poisson,
                control = list(epsilon = 1e-14, maxit = 100))
  x <- model.matrix(result)
  scores <- rowsum(x * (parts$event - fitted(result)), parts$id)
  robust <- vcov(result) %*% crossprod(scores) %*% vcov(result)
  kept <- !startsWith(names(coef(result)), "block")
  data.frame(data = name, model = model, strata = stratum, term = names(coef(result))[kept],
             coef = unname(coef(result))[kept], se = unname(sqrt(diag(vcov(result))))[kept],
             robust_se = unname(sqrt(diag(robust)))[kept], baseline = exp(unname(coef(result))[1]))
}

of_heart <- c(0, 30, 90, 365, max(heart$stop))
of_cohort <- c(0, 30, 90, 180, 365, 730)
save(rbind(crude("heart", heart, of_heart, "surgery"), crude("cohort", cohort, of_cohort, "segment")), "rates.csv")
save(rbind(
  regression("heart", "transplant", heart, of_heart, ~ transplant),
  regression("heart", "interaction", heart, of_heart, ~ (age + surgery) * transplant),
  regression("heart", "stratified", heart, of_heart, ~ age + transplant, "surgery"),
  regression("cohort", "defection", cohort, of_cohort, ~ bad + contacts),
  regression("cohort", "defection", cohort, of_cohort, ~ bad + contacts, "segment")), "rate_ratios.csv")

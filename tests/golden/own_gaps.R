# Cox models of customers' own gaps between contacts, each customer a stratum.
# Run from the root of the repository, after simulate_gaps.py: Rscript tests/golden/own_gaps.R

source("tests/golden/common.R")

gaps <- read.csv(path("own_gaps_data.csv"))
gaps$month <- factor((gaps$day %% 365) %/% 30)
gaps$quarter <- factor(gaps$day %/% 91)

# What had happened by the contact before, of all but the first contact of each customer.
before <- gaps[gaps$number > 1, ]
earlier <- gaps[match(paste(before$customer, before$number - 1), paste(gaps$customer, gaps$number)), ]
before$bad <- earlier$bad
before$good <- earlier$good

fit <- function(rows, states, when) {
  rows$bad <- pmin(rows$bad, states$bad)
  rows$good <- pmin(rows$good, states$good)
  # the mean of each state over all who have had as many contacts; numbers that fewer than 50 reach are one
  reached <- table(rows$number)
  capped <- pmin(rows$number, max(as.integer(names(reached)[reached >= 50])))
  rows$bad_mean <- ave(rows$bad, capped)
  rows$good_mean <- ave(rows$good, capped)
  model <- coxph(Surv(days, ended) ~ bad + good + log(number) + bad_mean + good_mean + month + quarter + strata(customer),
                 rows, cluster = cluster, ties = "efron", control = tight)
  b <- coef(model)[c("bad", "good")]
  naive <- sqrt(diag(model$naive.var))[1:2]
  data.frame(when = when, bad_cap = states$bad, good_cap = states$good, term = names(b), coef = unname(b),
             se = naive, robust_se = sqrt(diag(model$var))[1:2])
}

tables <- list()
for (states in list(list(bad = 1, good = 1), list(bad = 1, good = 5))) {
  tables <- c(tables, list(fit(gaps, states, "now"), fit(before, states, "before")))
}
save(do.call(rbind, tables), "own_gaps.csv")

# Kaplan-Meier of the silences, of which the share of false lapses is made.
curve <- survfit(Surv(days, ended) ~ 1, gaps)
at <- summary(curve, times = c(20, 40, 60, 80, 100, 120, 180, 200))
save(data.frame(days = at$time, survival = at$surv, std_err = at$std.err), "silences.csv")

# Two cells of the atlas again, from raw tables, in R with the package survival alone.
#   python -m benchmarks.atlas.contacts --data FOLDER --out contacts.csv
#   Rscript benchmarks/atlas/check.R FOLDER contacts.csv
# FOLDER holds the folder ravenstack with its CSV files; contacts.csv the contacts of Online Retail II. It writes
# benchmarks/atlas/checked.csv, from the root of the repository. What the package finds is no part of it.

suppressPackageStartupMessages(library(survival))
given <- commandArgs(trailingOnly = TRUE)
rows <- list()
add <- function(recipe, claim, estimate, se, how) {
  number <- function(x) formatC(x, digits = 15, format = "g")
  rows[[length(rows) + 1]] <<- data.frame(recipe, claim, estimate = number(estimate), se = number(se), how)
}

# --- Online Retail II, three-strikes: who lapses before a third return, within a year of the first ---------------
gap <- 180
horizon <- 365
log <- read.csv(given[2])
last <- max(log$day)

life <- function(x) {
  bought <- sort(unique(x$day[x$returned == 0]))
  # before the first purchase the customer is not seen; who was there in the first 180 days may not be new
  if (!length(bought) || bought[1] <= gap) return(NULL)
  silent <- which(c(bought[-1], Inf) > bought + gap & bought + gap <= last)[1]
  lapsed <- !is.na(silent)
  exit <- if (lapsed) bought[silent] + gap else last
  returns <- sort(x$day[x$returned == 1 & x$day >= bought[1] & x$day <= exit])
  # nobody is at risk who leaves on the day of the first return, or has three on it
  if (!length(returns) || returns[1] == exit || sum(returns == returns[1]) >= 3) return(NULL)
  third <- length(returns) >= 3 && returns[3] < exit
  data.frame(customer = x$customer[1], time = (if (third) returns[3] else exit) - returns[1],
             event = if (third) "third return" else if (lapsed) "lapse" else "none")
}
lives <- do.call(rbind, lapply(split(log, log$customer), life))
lives$event <- factor(lives$event, c("none", "lapse", "third return"))
curve <- summary(survfit(Surv(time, event) ~ 1, lives, id = customer), times = horizon)
at <- match("lapse", curve$states)
add("online_retail_2", "three-strikes", curve$pstate[1, at], curve$std.err[1, at],
    "`survfit`: Aalen and Johansen's incidence of a lapse, a third return competing")

# --- RavenStack, bad-moments-drive-away: Cox on the days of the relation ---------------------------------------
read <- function(name) read.csv(file.path(given[1], "ravenstack", paste0("ravenstack_", name, ".csv")), na.strings = "")
day <- function(x) as.integer(as.Date(substr(x, 1, 10)))
from <- day("2023-01-01")
until <- day("2024-12-31")
accounts <- read("accounts")
churn <- read("churn_events")
tickets <- read("support_tickets")
accounts$start <- day(accounts$signup_date)
first_churn <- tapply(day(churn$churn_date), churn$account_id, min)
accounts$end <- as.vector(first_churn[accounts$account_id])
accounts$exit <- pmin(accounts$end, until, na.rm = TRUE)
accounts$left <- !is.na(accounts$end) & accounts$end <= until
accounts <- accounts[accounts$exit > accounts$start, ]
tickets$at <- day(tickets$submitted_at)
is_true <- function(x) tolower(x) == "true"
tickets$bad <- is_true(tickets$escalation_flag) | (!is.na(tickets$satisfaction_score) & tickets$satisfaction_score <= 3)

# cohorts: 30 days of the signup, joined from the oldest on until 50 customers are in each
month <- (accounts$start - from) %/% 30
name <- integer(0)
held <- 0
for (m in sort(unique(month))) {
  if (!length(name) || held >= 50) {
    current <- m
    held <- 0
  }
  name[as.character(m)] <- current
  held <- held + sum(month == m)
}
cohorts <- unique(name)
if (held < 50 && length(cohorts) > 1) name[name == current] <- cohorts[length(cohorts) - 1]
accounts$cohort <- name[as.character(month)]
widest <- max(tapply(as.integer(names(name)), name, function(m) 30 * (max(m) - min(m) + 1)))

# one row per customer and day; what happened on a day counts from the next day on
days <- do.call(rbind, lapply(seq_len(nrow(accounts)), function(i) {
  a <- accounts[i, ]
  t <- tickets[tickets$account_id == a$account_id & tickets$at >= a$start & tickets$at <= a$exit, ]
  d <- (a$start + 1):a$exit
  before <- function(x) vapply(d, function(k) sum(x < k), 0)
  latest <- vapply(d, function(k) max(c(-Inf, t$at[t$at < k])), 0)
  data.frame(customer = a$account_id, plan = a$plan_tier, cohort = a$cohort, start = d - a$start - 1, stop = d - a$start,
             left = a$left & d == a$exit, bad = before(t$at[t$bad]) > 0, so_far = before(t$at),
             recent = vapply(d, function(k) sum(t$at < k & t$at >= k - 90), 0), age = d - latest, month = (d - from) %/% 30)
}))
band <- function(x, first) factor(findInterval(x, first))
days$so_far <- band(days$so_far, c(1, 3, 6, 11, 21))
days$recent <- band(days$recent, c(1, 3, 6))
days$age <- band(days$age, c(8, 31, 61, 91))
# within cohorts wider than 60 days the calendar moves
calendar <- if (widest > 60) "+ factor(month)" else ""
model <- as.formula(paste("Surv(start, stop, left) ~ bad + so_far + recent + age + strata(plan, cohort)", calendar))
# months without a departure have no finite coefficient, which R warns of; that of bad moments does not depend on it
tight <- coxph.control(eps = 1e-13, toler.chol = 1e-14, iter.max = 60)
fit <- suppressWarnings(coxph(model, days, cluster = customer, ties = "efron", control = tight))
at <- match("badTRUE", names(coef(fit)))
add("ravenstack", "bad-moments-drive-away", exp(coef(fit)[[at]]), summary(fit)$coefficients["badTRUE", "robust se"],
    "`coxph`: days of the relation, strata of plan and cohort, clustered by account")

checked <- do.call(rbind, rows)
print(checked)
quoted <- checked
quoted$how <- paste0('"', quoted$how, '"')
write.csv(quoted, "benchmarks/atlas/checked.csv", row.names = FALSE, quote = FALSE)
cat("widest cohort", widest, "days; customers", length(unique(days$customer)), "departures", sum(days$left), "\n")

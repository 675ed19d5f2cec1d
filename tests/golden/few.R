# The claim that bad moments drive customers away, on the 120 customers of few/, from the two tables to the limits.
# A row for every customer and day; no package but survival.
# Run from the root of the repository, after simulate_few.py: Rscript tests/golden/few.R

source("tests/golden/common.R")

contacts <- read.csv(path("few/interactions.csv"))
customers <- read.csv(path("few/customers.csv"), na.strings = "")
contacts$day <- as.integer(as.Date(contacts$at))
customers$first <- as.integer(as.Date(customers$start))
last <- as.integer(as.Date("2024-12-25"))
customers$last <- ifelse(is.na(customers$end), last, as.integer(as.Date(customers$end)))

# Known on a day is what was on the days before; "lately" is the 90 days before.
days_of <- function(i) {
  one <- customers[i, ]
  own <- contacts[contacts$customer == one$customer, ]
  day <- seq(one$first + 1, one$last)
  data.frame(
    customer = one$customer, segment = one$segment, household = one$household, tenure = day - one$first,
    left = as.integer(day == one$last & !is.na(one$end)),
    bad = vapply(day, function(d) any(own$grade == "bad" & own$day < d), logical(1)),
    contacts = vapply(day, function(d) sum(own$day < d & own$day >= d - 90), integer(1)))
}
rows <- do.call(rbind, lapply(which(customers$last > customers$first), days_of))
rows$bad <- factor(ifelse(rows$bad, "1+", "0"))
rows$contacts <- cut(rows$contacts, c(-1, 0, 2, 5, Inf), c("0", "1-2", "3-5", "6+"))

fits <- list(
  adjusted = coxph(Surv(tenure - 1, tenure, left) ~ bad + contacts + strata(segment), data = rows,
                   cluster = household, control = tight),
  crude = coxph(Surv(tenure - 1, tenure, left) ~ bad, data = rows, cluster = household, control = tight))
clusters <- length(unique(rows$household[rows$left == 1]))

one <- function(reading) {
  fit <- summary(fits[[reading]])$coefficients["bad1+", ]
  limits <- exp(fit[["coef"]] + c(-1, 1) * qt(0.975, clusters - 1) * fit[["robust se"]])
  data.frame(reading = reading, hazard_ratio = exp(fit[["coef"]]), low = limits[1], high = limits[2],
             se = fit[["robust se"]], se_model = fit[["se(coef)"]], df = clusters - 1L,
             customers = nrow(customers), events = sum(rows$left))
}
save(do.call(rbind, lapply(names(fits), one)), "few.csv")

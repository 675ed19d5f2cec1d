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
    contacts = vapply(day, function(d) sum(own$day < d & own$day >= d - 90), integer(1)),
    so_far = vapply(day, function(d) sum(own$day < d), integer(1)),
    age = vapply(day, function(d) d - max(own$day[own$day < d], -Inf), numeric(1)),
    month = (day - start) %/% 30, began = (one$first - start) %/% 30)
}
start <- as.integer(as.Date("2024-01-01"))
rows <- do.call(rbind, lapply(which(customers$last > customers$first), days_of))
rows$bad <- factor(ifelse(rows$bad, "1+", "0"))
rows$contacts <- cut(rows$contacts, c(-1, 0, 2, 5, Inf), c("0", "1-2", "3-5", "6+"))
rows$so_far <- cut(rows$so_far, c(-1, 0, 2, 5, 10, 20, Inf), c("0", "1-2", "3-5", "6-10", "11-20", "21+"))
rows$age <- ifelse(is.infinite(rows$age), "none",
                   as.character(cut(rows$age, c(0, 7, 30, 60, 90, 1e6), c("0-7", "8-30", "31-60", "61-90", "91+"))))

# Customers who began in the same 30 days, put together from the oldest on until there are 50 of them; the last few join
# those before them.
began <- table((customers$first[customers$last > customers$first] - start) %/% 30)
cohort <- integer(0); held <- 0; current <- 1
for (month in names(began)) {
  if (held >= 50) { current <- current + 1; held <- 0 }
  cohort[month] <- current
  held <- held + began[[month]]
}
if (held < 50) cohort[cohort == current] <- current - 1
rows$cohort <- cohort[as.character(rows$began)]
width <- 30 * max(tapply(as.integer(names(cohort)), cohort, function(k) diff(range(k)) + 1))
stopifnot(width > 60)  # so that the month of the day is held equal, too

# In a level of what is held equal in which nobody leaves, the hazard is nothing in the limit.
held <- c("contacts", "so_far", "age", "month")
telling <- Reduce(`&`, lapply(rows[held], function(level) level %in% level[rows$left == 1]))

fits <- list(
  adjusted = coxph(Surv(tenure - 1, tenure, left) ~ bad + contacts + so_far + age + factor(month) +
                     strata(segment, cohort), data = droplevels(rows[telling, ]), cluster = household, control = tight),
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

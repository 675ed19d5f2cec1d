# The data of the golden robust errors: four studies of the survival package and three simulated ones.
# Run from the root of the repository: Rscript tests/golden/robust_data.R
#
# All have integer days, few levels of each covariate, several rows of a customer and a cluster above the customer.
# cause: 0 still there or a change of state, 1 the event, 2 another exit.

source("tests/golden/common.R")

write <- function(rows, name) {
  rows <- rows[order(rows$id, rows$start), ]
  rows[] <- lapply(rows, function(x) if (is.numeric(x)) as.integer(x) else as.character(x))
  previous <- c(FALSE, rows$id[-1] == rows$id[-nrow(rows)])
  stopifnot(!anyNA(rows), rows$start < rows$stop,
            rows$start[previous] >= rows$stop[which(previous) - 1])
  save(rows, paste0("robust/data_", name, ".csv"))
}

# Half days are rounded up. Where a row has no length then, it takes a day from the row before it.
round_days_up <- function(rows) {
  rows <- rows[order(rows$id, rows$start), ]
  rows$start <- ceiling(rows$start)
  rows$stop <- ceiling(rows$stop)
  for (i in which(rows$start >= rows$stop)) {
    rows$start[i] <- rows$stop[i] - 1
    if (i > 1 && rows$id[i - 1] == rows$id[i]) rows$stop[i - 1] <- rows$start[i]
  }
  rows
}

for (name in c("heart", "jasa1")) {
  rows <- round_days_up(get(name, asNamespace("survival")))
  write(data.frame(
    id = rows$id, household = (rows$id + 2) %/% 3, start = rows$start, stop = rows$stop, cause = rows$event,
    age_band = findInterval(rows$age, c(-8, 2)), year = floor(rows$year), surgery = rows$surgery,
    transplant = as.integer(as.character(rows$transplant))), name)
}

# Infections recur; the cluster above the patient is the hospital.
write(with(survival::cgd, data.frame(
  id = id, household = as.integer(center), start = tstart, stop = tstop, cause = status,
  treat = as.integer(treat == "rIFN-g"), age_band = findInterval(age, c(10, 20)),
  inherit = as.integer(inherit == "autosomal"), steroids = steroids)), "cgd")

# Visits of patients with cirrhosis until death (1) or transplant (2). Every third enters late, on day 200.
visits <- survival::pbcseq
visits <- visits[order(visits$id, visits$day), ]
last <- c(visits$id[-1] != visits$id[-nrow(visits)], TRUE)
visits$stop <- ifelse(last, visits$futime, c(visits$day[-1], NA))
visits$cause <- ifelse(last, c(0, 2, 1)[visits$status + 1], 0)
visits$start <- pmax(visits$day, ifelse(visits$id %% 3 == 0, 200, 0))
visits <- visits[visits$start < visits$stop, ]
write(with(visits, data.frame(
  id = id, household = (id + 3) %/% 4, start = start, stop = stop, cause = cause,
  bili = findInterval(bili, c(1.2, 3.4)), edema = 2 * edema, treated = as.integer(trt == 1),
  sex = as.integer(sex == "f"))), "pbcseq")

# A day at a time: grades change the state for the days after, billing days have many exits.
simulate <- function(n, last_day, household_size, billing, hazard, spells) {
  rows <- list()
  household <- 0
  left <- 0
  for (id in seq_len(n)) {
    if (left == 0) {
      household <- household + 1
      left <- sample(household_size, 1)
      shared <- rgamma(1, 3, 3)
    }
    left <- left - 1
    segment <- sample(c("a", "b", "c"), 1)
    entry <- if (runif(1) < 0.3) sample(last_day %/% 3, 1) else 0
    end <- if (runif(1) < 0.3) sample(seq(entry + 1, last_day), 1) else last_day
    away <- if (spells && runif(1) < 0.2) entry + c(3, 6) else c(0, 0)  # not followed on these days
    bad <- contacts <- 0
    for (day in seq_len(end)) {
      cause <- 0
      weight <- if (day %% billing == 0) 3 else 0.6
      risk <- hazard * shared * weight * exp(0.4 * min(bad, 2) + 0.15 * min(contacts, 3) +
                                             0.3 * (segment == "b"))
      if (runif(1) < risk) cause <- 1 else if (runif(1) < 0.4 * hazard) cause <- 2
      seen <- day > entry && !(day > away[1] && day <= away[2])
      if (seen) {
        rows[[length(rows) + 1]] <- list(
          id = id, household = household, start = day - 1, stop = day, cause = cause,
          bad = c("0", "1", "2+")[min(bad, 2) + 1], contacts = min(contacts, 3), segment = segment)
        if (cause > 0) break
      }
      if (runif(1) < 4 / last_day) {
        contacts <- contacts + 1
        if (runif(1) < 0.4) bad <- bad + 1
      }
    }
  }
  join(do.call(rbind.data.frame, rows))
}

# Days of one state become one row.
join <- function(days) {
  n <- nrow(days)
  same <- Reduce(`&`, lapply(c("id", "bad", "contacts"), function(c) days[[c]][-1] == days[[c]][-n]))
  first <- c(TRUE, !(same & days$start[-1] == days$stop[-n]))
  final <- c(first[-1], TRUE)
  rows <- days[first, ]
  rows$stop <- days$stop[final]
  rows$cause <- days$cause[final]
  rows
}

set.seed(20260901)
write(simulate(120, 24, 4, 6, 0.03, spells = TRUE), "small")
write(simulate(2000, 60, 4, 10, 0.015, spells = FALSE), "large")
# Few times, each with events and with customers who stay: the grouped clock.
write(simulate(700, 10, 3, 5, 0.06, spells = FALSE), "contacts")

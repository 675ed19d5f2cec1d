# A shop without contracts, from raw contacts on: lapses, incidences after a first bad moment, the clock of contacts, and
# customers' own gaps. Run from the root of the repository, after simulate_shop.py: Rscript tests/golden/shop.R

source("tests/golden/common.R")

gap <- 60
last <- 900
horizon <- 180
log <- read.csv(path("shop_contacts.csv"))
log$badness <- match(log$grade, c("bad", "neutral", "good"))
# rows of one customer, day and grade that repeat each other are one contact
log <- unique(log)
log <- log[order(log$customer, log$at, log$badness), ]

# One row per contact up to the lapse: what is so far, and whether the customer comes back within the gap.
follow <- function(x) {
  n <- nrow(x)
  after <- c(x$at[-1], Inf)
  x$number <- seq_len(n)
  x$bad <- cumsum(x$grade == "bad")
  x$good <- cumsum(x$grade == "good")
  x$labelled <- x$at <= last - gap
  x$lapsed <- x$labelled & after > x$at + gap
  first <- which(x$lapsed)[1]
  x$until <- if (is.na(first)) n else first
  x$exit <- if (is.na(first)) last else x$at[first] + gap
  x$left <- !is.na(first)
  x$is_new <- x$at[1] > gap
  x
}
contacts <- do.call(rbind, lapply(split(log, log$customer), follow))

rows <- list()
add <- function(what, term, value, se, robust_se) {
  rows[[length(rows) + 1]] <<- data.frame(what, term, value, se, robust_se)
}

# Aalen-Johansen from the first bad moment on, a later one competing; the infinitesimal jackknife by customer.
since_first <- function(most) {
  one <- function(x) {
    days <- x$at[x$grade == "bad" & x$at <= x$exit[1]]
    if (!x$is_new[1] || !length(days) || days[1] == x$exit[1]) return(NULL)
    if (sum(days == days[1]) >= most) return(NULL)
    reached <- length(days) >= most && days[most] < x$exit[1]
    end <- if (reached) days[most] else x$exit[1]
    event <- if (reached) "another" else if (x$left[1]) "lapse" else "none"
    data.frame(customer = x$customer[1], time = end - days[1], event = event)
  }
  d <- do.call(rbind, lapply(split(contacts, contacts$customer), one))
  d$event <- factor(d$event, c("none", "lapse", "another"))
  d$id <- seq_len(nrow(d))
  curve <- summary(survfit(Surv(time, event) ~ 1, d, id = id), times = horizon)
  add(paste("before", most), "lapse", curve$pstate[1, 2], NA, curve$std.err[1, 2])
}
since_first(3)
since_first(2)

# The clock of contacts. Numbers of contacts next to each other share a baseline until it has ten lapses.
pools <- function(events) {
  label <- integer(length(events))
  current <- 0
  held <- 0
  for (i in seq_along(events)) {
    if (i > 1 && held >= 10 && sum(events[i:length(events)]) >= 10) {
      current <- current + 1
      held <- 0
    }
    label[i] <- current
    held <- held + events[i]
  }
  label
}
asked <- contacts[contacts$number <= contacts$until & contacts$labelled & contacts$is_new, ]
asked$lapse <- asked$lapsed & asked$number == asked$until
asked$had <- as.integer(asked$bad > 0)
asked$month <- asked$at %/% 30
fit_contacts <- function(what, stratum) {
  asked$stratum <- stratum
  asked$pool <- NA
  for (s in unique(stratum)) {
    here <- asked$stratum == s
    events <- tapply(asked$lapse[here], factor(asked$number[here]), sum)
    label <- pools(as.vector(events))
    asked$pool[here] <- paste(s, label[match(asked$number[here], as.integer(names(events)))])
  }
  # a baseline without a lapse says nothing
  live <- tapply(asked$lapse, asked$pool, sum) > 0
  used <- asked[live[asked$pool], ]
  fit <- glm(lapse ~ 0 + factor(pool) + had, data = used, family = binomial("cloglog"),
             control = list(epsilon = 1e-14, maxit = 200))
  x <- model.matrix(fit)
  eta <- as.vector(x %*% coef(fit))
  h <- exp(eta)
  p <- 1 - exp(-h)
  y <- as.numeric(used$lapse)
  score <- x * (y * h * exp(-h) / p - (1 - y) * h)
  # the observed information, whose inverse times the scores are the derivatives in case weights
  slope <- ifelse(y == 1, h * exp(-h) / p * (1 - h) - (h * exp(-h) / p)^2, -h)
  bread <- solve(-t(x) %*% (x * slope))
  influence <- rowsum(score, used$customer) %*% bread
  k <- ncol(x)
  add(what, "bad", coef(fit)[["had"]], sqrt(vcov(fit)[k, k]), sqrt(sum(influence[, k]^2)))
}
fit_contacts("contact", rep("all", nrow(asked)))
fit_contacts("contact by month", asked$month)

# Customers' own gaps, between days with a contact.
days <- aggregate(cbind(bad, good) ~ customer + at, contacts, max)
days <- days[order(days$customer, days$at), ]
own <- do.call(rbind, lapply(split(days, days$customer), function(x) {
  x$number <- seq_len(nrow(x))
  after <- c(x$at[-1], last)
  x$days <- after - x$at
  x$ended <- c(rep(1, nrow(x) - 1), 0)
  x[x$days > 0, ]
}))
own$bad <- pmin(own$bad, 1)
own$good <- pmin(own$good, 1)
keep <- ave(own$days, own$customer, FUN = length) > 1 & ave(own$ended, own$customer, FUN = sum) > 0
own <- own[keep, ]
reached <- table(own$number)
capped <- pmin(own$number, max(as.integer(names(reached)[reached >= 50])))
own$bad_mean <- ave(own$bad, capped)
own$good_mean <- ave(own$good, capped)
own$month <- factor((own$at %% 365) %/% 30)
own$quarter <- factor(own$at %/% 91)
model <- coxph(Surv(days, ended) ~ bad + good + log(number) + bad_mean + good_mean + month + quarter + strata(customer),
               own, cluster = customer, ties = "efron", control = tight)
for (term in c("bad", "good")) {
  k <- match(term, names(coef(model)))
  add("own gaps", term, coef(model)[[k]], sqrt(model$naive.var[k, k]), sqrt(model$var[k, k]))
}

save(do.call(rbind, rows), "shop.csv")

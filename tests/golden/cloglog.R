# Grouped contact-clock data and their complementary log-log regression.
# Run from the root of the repository: Rscript tests/golden/cloglog.R

source("tests/golden/common.R")

set.seed(20240607)
patterns <- data.frame(bad = c("0", "1+", "1+"), band = c("0-2", "0-2", "3+"))
table <- merge(data.frame(v = 1:30), patterns, by = NULL)
table <- table[order(table$v, table$bad, table$band), ]
table$n <- rpois(nrow(table), 40 + 400 * exp(-table$v / 9))
predictor <- -2 - 0.02 * table$v + 0.4 * (table$bad == "1+") + 0.25 * (table$band == "3+")
table$d <- rbinom(nrow(table), table$n, 1 - exp(-exp(predictor)))
save(table, "cloglog_table.csv")

# Standard errors come from the expected information, as always with glm.
result <- glm(cbind(d, n - d) ~ factor(v) + bad + band, data = table,
              family = binomial("cloglog"), control = list(epsilon = 1e-14, maxit = 100))
save(data.frame(term = names(coef(result)), coef = unname(coef(result)),
                se = unname(sqrt(diag(vcov(result)))), deviance = deviance(result)),
     "cloglog.csv")

# Shared by the scripts beside it: exact numbers in, exact numbers out.

suppressPackageStartupMessages(library(survival))

here <- "tests/golden"
path <- function(name) file.path(here, name)
exact <- function(x) trimws(format(x, digits = 17, scientific = NA, justify = "none"))
exactly <- function(x) vapply(x, exact, character(1), USE.NAMES = FALSE)

save <- function(table, name) {
  numbers <- vapply(table, is.double, logical(1))
  table[numbers] <- lapply(table[numbers], exactly)
  write.csv(table, path(name), row.names = FALSE, quote = FALSE, na = "")
}

# Newton to the last digits: R's default stops at a relative change of 1e-9 in the log-likelihood.
tight <- coxph.control(eps = 1e-13, toler.chol = 1e-14, iter.max = 60)

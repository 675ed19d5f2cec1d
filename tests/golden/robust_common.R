# Shared by the scripts of robust errors: data and models in the words of the package.

source("tests/golden/common.R")

read_data <- function(name) {
  types <- if (name %in% c("small", "large", "contacts")) c(bad = "character", segment = "character") else NA
  read.csv(path(paste0("robust/data_", name, ".csv")), colClasses = types)
}

# The columns of a term: a feature's name for dummies against its first level, linear(name), a:b for products.
columns_of <- function(rows, term) {
  parts <- lapply(strsplit(term, ":")[[1]], function(part) {
    name <- sub("^linear\\((.*)\\)$", "\\1", part)
    if (name != part) return(matrix(as.double(rows[[name]]), dimnames = list(NULL, part)))
    levels <- sort(unique(rows[[name]]))[-1]
    matrix(as.double(outer(rows[[name]], levels, "==")), nrow(rows),
           dimnames = list(NULL, sprintf("%s[%s]", name, levels)))
  })
  if (length(parts) == 1) return(parts[[1]])
  stopifnot(length(parts) == 2, ncol(parts[[2]]) == 1)
  product <- parts[[1]] * drop(parts[[2]])
  colnames(product) <- paste0(colnames(parts[[1]]), ":", colnames(parts[[2]]))
  product
}

terms_of <- function(model) strsplit(model, " + ", fixed = TRUE)[[1]]

design_of <- function(rows, model) do.call(cbind, lapply(terms_of(model), columns_of, rows = rows))

# One matrix for each term, so that a test of a term with several columns is of all of them.
fit_cox <- function(rows, model, ties, strata, ...) {
  terms <- terms_of(model)
  names(terms) <- paste0("term", seq_along(terms))
  for (name in names(terms)) rows[[name]] <- columns_of(rows, terms[[name]])
  right <- c(names(terms), if (nzchar(strata)) sprintf("strata(%s)", strata))
  formula <- as.formula(paste("Surv(start, stop, cause == 1) ~", paste(right, collapse = " + ")))
  coxph(formula, data = rows, ties = ties, control = tight, ...)
}

models <- list(
  heart = list("linear(transplant)" = "", "age_band + linear(year) + transplant" = c("", "surgery")),
  jasa1 = list("linear(age_band) + linear(transplant) + linear(age_band):linear(transplant)" = "",
               "age_band + transplant" = c("", "surgery")),
  cgd = list("treat + age_band + steroids" = c("", "inherit")),
  pbcseq = list("bili + linear(edema) + treated" = c("", "sex")),
  small = list("bad + linear(contacts)" = c("", "segment")),
  large = list("bad + linear(contacts)" = c("", "segment")))


# Standardised differences at baseline as the What Works Clearinghouse makes them, written out in base R from the rows,
# for tests/reference/test_baseline_against_r.py.
# Run: Rscript tests/reference/make/baseline.R
library(jsonlite)
set.seed(20270901)
omega <- function(n) 1 - 3 / (4 * n - 9)
hedges <- function(x, treated) {
  t <- x[treated]; c <- x[!treated]
  within <- (sum((t - mean(t))^2) + sum((c - mean(c))^2)) / (length(x) - 2)
  omega(length(x)) * (mean(t) - mean(c)) / sqrt(within)
}
cox <- function(x, treated) omega(length(x)) * unname(diff(qlogis(tapply(x, treated, mean)))) / 1.65
class_of <- function(g) if (abs(g) <= 0.05) "satisfied" else if (abs(g) <= 0.25) "adjust" else "not_satisfied"
rows <- function(g, ...) list(..., std_difference = g, wwc = class_of(g))
made <- list()
for (sizes in list(c(12, 30), c(90, 25), c(400, 410))) {
  treated <- rep(c(FALSE, TRUE), times = sizes)
  score <- round(rnorm(sum(sizes), mean = 50 + 2 * treated, sd = ifelse(treated, 14, 6)), 2)
  left <- as.integer(runif(sum(sizes)) < ifelse(treated, 0.3, 0.2))
  kind <- sample(c("grammar", "technical", "vocational"), sum(sizes), replace = TRUE, prob = c(0.2, 0.3, 0.5))
  levels <- sort(unique(kind))
  made[[paste(sizes, collapse = " and ")]] <- list(
    treated = treated, score = score, left = left, kind = kind,
    of_score = rows(hedges(score, treated)), of_left = rows(cox(left, treated)),
    of_kind = lapply(setNames(levels, levels), function(level) rows(cox(as.integer(kind == level), treated)))
  )
}
# Five in 100 against eight: a difference of 0.12 standard deviations of zeros and ones, and 0.30 in log odds.
five <- rep(c(1, 0, 1, 0), times = c(50, 950, 80, 920))
five_treated <- rep(c(FALSE, TRUE), each = 1000)
out <- list(
  versions = list(R = paste(R.version$major, R.version$minor, sep = "."), jsonlite = as.character(packageVersion("jsonlite"))),
  cases = made,
  five_and_eight = rows(cox(five, five_treated))
)
writeLines(toJSON(out, auto_unbox = TRUE, digits = NA, pretty = FALSE), "tests/reference/expected/baseline.json")

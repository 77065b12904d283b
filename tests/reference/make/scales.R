# Cronbach's alpha with Feldt's interval, from the covariance matrix, for tests/reference/test_scales_against_r.py.
# Run: Rscript tests/reference/make/scales.R
library(jsonlite)
set.seed(20270901)
made <- list()
for (case in c("four items", "three items, one reversed", "hardly related")) {
  n <- c("four items" = 240, "three items, one reversed" = 57, "hardly related" = 31)[[case]]
  k <- if (case == "four items") 4 else 3
  weight <- if (case == "hardly related") 0.1 else 1
  common <- rnorm(n)
  items <- sapply(seq_len(k), function(j) pmin(5, pmax(1, round(3 + weight * common + rnorm(n)))))
  sent <- items
  if (case == "three items, one reversed") sent[, 3] <- 6 - sent[, 3]
  covariance <- cov(items)
  alpha <- k / (k - 1) * (1 - sum(diag(covariance)) / sum(covariance))
  low <- 1 - (1 - alpha) * qf(0.975, n - 1, (n - 1) * (k - 1))
  high <- 1 - (1 - alpha) * qf(0.025, n - 1, (n - 1) * (k - 1))
  made[[case]] <- list(
    items = lapply(seq_len(k), function(j) sent[, j]),
    reversed = if (case == "three items, one reversed") list(3) else list(),
    alpha = alpha, conf_low = low, conf_high = high
  )
}
versions <- list(R = paste(R.version$major, R.version$minor, sep = "."), jsonlite = as.character(packageVersion("jsonlite")))
out <- list(versions = versions, cases = made)
writeLines(toJSON(out, auto_unbox = TRUE, digits = NA, pretty = FALSE), "tests/reference/expected/scales.json")

# Reference figures of adjusted p-values. From the root of the repository:
# Rscript tests/reference/make/multiplicity.R
# Writes tests/reference/expected/multiplicity.json with the version that made them.

library(jsonlite)

families <- list(
  plain = c(0.01, 0.04, 0.03),
  equal = c(0.02, 0.02, 0.02, 0.02),
  one_small = c(0.0001, 0.6, 0.81, 0.93, 0.4),
  missing = c(0.012, NA, 0.2, 0.049),
  alone = 0.03,
  at_the_ends = c(0, 1, 0.5)
)
figures <- lapply(families, function(p) list(
  p_values = I(p), holm = I(p.adjust(p, "holm")), benjamini_hochberg = I(p.adjust(p, "BH"))
))
versions <- list(R = paste(R.version$major, R.version$minor, sep = "."))
text <- toJSON(list(versions = versions, figures = figures), auto_unbox = TRUE, digits = 12, pretty = TRUE, na = "null")
writeLines(text, "tests/reference/expected/multiplicity.json")

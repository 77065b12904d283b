# Reference figures of designs and sample sizes. From the root of the repository: Rscript tests/reference/make/designs.R
# Needs randomizr, PowerUpR and jsonlite. Writes tests/reference/expected/{randomizr,powerupr}.json.

suppressPackageStartupMessages({ library(randomizr); library(PowerUpR); library(jsonlite) })

write_figures <- function(name, package, figures) {
  versions <- setNames(list(paste(R.version$major, R.version$minor, sep = "."), as.character(packageVersion(package))),
                       c("R", package))
  text <- toJSON(list(versions = versions, figures = figures), auto_unbox = TRUE, digits = 12, pretty = TRUE)
  writeLines(text, file.path("tests/reference/expected", paste0(name, ".json")))
}

# Sizes of the strata and ratios of the arms; every stratum divides evenly, or there is one stratum: elsewhere randomizr
# settles each stratum by itself and this toolkit settles them together (and, with three arms, it may give one arm two
# schools more than another, which this toolkit never does).
designs <- list(
  complete_even = list(sizes = c(10), ratios = c(1, 1)),
  complete_odd = list(sizes = c(7), ratios = c(1, 1)),
  complete_thirds = list(sizes = c(7), ratios = c(1, 2)),
  complete_three_arms = list(sizes = c(9), ratios = c(1, 1, 1)),
  pairs = list(sizes = rep(2, 9), ratios = c(1, 1)),
  strata = list(sizes = c(4, 6, 2, 8), ratios = c(1, 1)),
  strata_three_arms = list(sizes = c(3, 6), ratios = c(1, 1, 1)),
  strata_unequal = list(sizes = c(3, 6, 9), ratios = c(1, 2))
)
declared <- function(design) {
  shares <- design$ratios / sum(design$ratios)
  blocks <- rep(seq_along(design$sizes), design$sizes)
  if (length(design$sizes) == 1) return(declare_ra(N = design$sizes, prob_each = shares))
  declare_ra(blocks = blocks, prob_each = shares)
}
write_figures("randomizr", "randomizr", lapply(designs, function(design) {
  declaration <- declared(design)
  list(sizes = I(design$sizes), ratios = I(design$ratios),
       n_allocations = obtain_num_permutations(declaration),
       probabilities = unname(as.list(declaration$probabilities_matrix[1, ])))
}))

# The functions look at their arguments unevaluated: they are called with values.
over <- function(grid, design, name, value, ...) apply(grid, 1, function(row) {
  capture.output(found <- do.call(design, c(as.list(row), list(...))))
  unname(found[[name]][value])
})
cra2 <- expand.grid(rho2 = c(0.05, 0.2), n = c(10, 40), J = c(20, 60), r22 = c(0, 0.5), p = c(0.5, 1 / 3), g2 = c(0, 2))
cra2$power <- over(cra2, power.cra2, "power", 1, es = 0.3, r21 = 0.3)
cra2$mdes <- over(subset(cra2, select = -power), mdes.cra2, "mdes", 1, r21 = 0.3)
cra3 <- expand.grid(rho3 = c(0.05, 0.2), rho2 = c(0.02, 0.1), n = c(10, 20), J = c(2, 4), K = c(20, 60))
cra3$mdes <- over(cra3, mdes.cra3, "mdes", 1, r23 = 0.4, r22 = 0.2, r21 = 0.3, g3 = 1)
bira2 <- expand.grid(rho2 = c(0.1, 0.3), omega2 = c(0.1, 0.5), n = c(20, 60), J = c(10, 40))
bira2$mdes <- over(bira2, mdes.bira2, "mdes", 1, r21 = 0.4, r2t2 = 0.2)
bcra3f2 <- expand.grid(rho2 = c(0.05, 0.2), n = c(10, 30), J = c(6, 20), K = c(3, 8))
bcra3f2$mdes <- over(bcra3f2, mdes.bcra3f2, "mdes", 1, r22 = 0.3)
write_figures("powerupr", "PowerUpR", list(cra2 = cra2, cra3 = cra3, bira2 = bira2, bcra3f2 = bcra3f2))

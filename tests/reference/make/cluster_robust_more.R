# Reference figures of cluster-robust joint tests (HTZ), and of multilevel models with weights and with residual variances
# by group. From the root of the repository:
# Rscript tests/reference/make/cluster_robust_more.R
# Writes tests/reference/expected/cluster_robust_more.json with the versions that made them.

suppressPackageStartupMessages({ library(nlme); library(lme4); library(clubSandwich); library(jsonlite) })

packages <- c("lme4", "nlme", "clubSandwich")
versions <- c(list(R = paste(R.version$major, R.version$minor, sep = ".")),
              setNames(lapply(packages, function(p) as.character(packageVersion(p))), packages))

read_set <- function(name) {
  data <- read.csv(file.path("tests/reference/data", paste0(name, ".csv")))
  data$arm <- relevel(factor(data$arm), ref = "control")
  # Weights that anybody can make again: row 1 has 0.75, row 2 has 1, ..., row 7 has 0.5.
  data$w <- 0.5 + (seq_len(nrow(data)) %% 7) / 4
  data
}

our_names <- function(names) gsub("(arm|kind|stratum|strata|sex)([^:)]+)", "\\1[\\2]", names)

by_name <- function(names, ...) {
  columns <- list(...)
  setNames(lapply(seq_along(names), function(k) lapply(columns, function(column) unname(column[k]))), our_names(names))
}

coefficients_of <- function(fit, data, cluster, types = c("CR0", "CR1", "CR2", "CR3")) {
  lapply(setNames(nm = types), function(type) {
    table <- coef_test(fit, vcov = vcovCR(fit, cluster = factor(data[[cluster]]), type = type), test = "Satterthwaite")
    table <- table[!grepl("^strat", rownames(table)), ]
    by_name(rownames(table), estimate = table$beta, std_error = table$SE, df = table$df_Satt)
  })
}

joint_of <- function(fit, data, cluster, tested, names, types = c("CR0", "CR1", "CR2", "CR3")) {
  places <- match(tested, names)
  L <- diag(length(names))[places, , drop = FALSE]
  figures <- lapply(setNames(nm = types), function(type) tryCatch({
    found <- Wald_test(fit, constraints = L, vcov = vcovCR(fit, cluster = factor(data[[cluster]]), type = type), test = "HTZ")
    list(statistic = found$Fstat, scaling = found$delta, df_denominator = found$df_denom, p_value = found$p_val)
  }, error = function(problem) { message(cluster, " ", type, ": ", conditionMessage(problem)); NULL }))
  list(tested = our_names(tested), figures = figures[!vapply(figures, is.null, TRUE)])
}

# Least squares.
plain <- list(
  three_arms = list("three_arms", score ~ arm + baseline + kind, NULL, c("armmentor", "armteam")),
  three_arms_all = list("three_arms", score ~ arm * baseline + kind, NULL, NULL),
  pairs = list("pairs", score ~ arm * baseline, "strata", c("armpilot", "armpilot:baseline")),
  flat = list("flat", score ~ arm + baseline, NULL, c("armpilot", "baseline"))
)

plain_figures <- function(entry) {
  data <- read_set(entry[[1]])
  formula <- if (is.null(entry[[3]])) entry[[2]] else update(entry[[2]], . ~ . + strata)
  kinds <- list(plain = lm(formula, data))
  if (is.null(entry[[3]])) kinds$weighted <- lm(formula, data, weights = w)
  shown <- grep("^strata|Intercept", names(coef(kinds$plain)), value = TRUE, invert = TRUE)
  tested <- if (is.null(entry[[4]])) shown else entry[[4]]
  list(set = entry[[1]], formula = deparse1(entry[[2]]), fixed_effects = if (is.null(entry[[3]])) "" else entry[[3]],
       joint = lapply(kinds, function(fit) joint_of(fit, data, "school_id", tested, names(coef(fit)),
                                                    types = if (is.null(entry[[3]])) c("CR0", "CR1", "CR1S", "CR2", "CR3") else c("CR0", "CR1", "CR2"))))
}

# Multilevel models by lme4.
exact <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-11, rhobeg = 0.2, maxfun = 1e5),
                     check.conv.singular = "ignore", calc.derivs = FALSE)
multilevel <- list(
  intercept = list("mixed_unbalanced", score ~ arm + x + (1 | school), "school", NULL),
  three_arms = list("three_arms", score ~ arm + baseline + kind + (1 | school_id), "school_id", c("armmentor", "armteam")),
  slopes = list("mixed_slopes", score ~ arm * x + (1 + x | school), "school", c("armpilot", "armpilot:x")),
  classes = list("mixed_classes", score ~ arm + x + (1 | school/room), "school", NULL)
)

multilevel_figures <- function(entry) {
  data <- read_set(entry[[1]])
  fit <- lmer(entry[[2]], data, REML = TRUE, control = exact)
  tested <- if (is.null(entry[[4]])) names(fixef(fit))[-1] else entry[[4]]
  list(set = entry[[1]], formula = deparse1(entry[[2]]),
       joint = joint_of(fit, data, entry[[3]], tested, names(fixef(fit))))
}

# Weights and residual variances by group: clubSandwich leaves lmer's weights out, lme's it takes.
tight <- lmeControl(msTol = 1e-14, tolerance = 1e-12, msMaxIter = 1000, maxIter = 1000, niterEM = 200, opt = "nlminb")
with_lme <- list(
  weights = list("mixed_unbalanced", score ~ arm + x, ~ 1 | school, varFixed(~ I(1 / w)), "school", "w", ""),
  weighted_slopes = list("mixed_slopes", score ~ arm + x, ~ 1 + x | school, varFixed(~ I(1 / w)), "school", "w", ""),
  residual_by_arm = list("mixed_unbalanced", score ~ arm + x, ~ 1 | school, varIdent(form = ~ 1 | arm), "school", "", "arm"),
  residual_by_sex = list("mixed_factors", score ~ arm + x, ~ 1 | school, varIdent(form = ~ 1 | sex), "school", "", "sex")
)

lme_figures <- function(entry) {
  data <- read_set(entry[[1]])
  data <- data[order(data$school), ]  # clubSandwich wants groups side by side
  # clubSandwich (0.5.8) fails on a school of one pupil, whose diag(variance) is a matrix of that many rows.
  data <- data[ave(data$x, data$school, FUN = length) > 1, ]
  data$school <- factor(data$school)
  fit <- lme(entry[[2]], data, random = entry[[3]], weights = entry[[4]], method = "REML", control = tight)
  tested <- names(fixef(fit))[-1]
  list(set = entry[[1]], formula = deparse1(entry[[2]]), random = deparse1(entry[[3]]), weights = entry[[6]],
       residual_by = entry[[7]], log_likelihood = as.numeric(logLik(fit)),
       figures = coefficients_of(fit, data, entry[[5]]),
       joint = joint_of(fit, data, entry[[5]], tested, names(fixef(fit))))
}

text <- toJSON(list(versions = versions, plain = lapply(plain, plain_figures),
                    multilevel = lapply(multilevel, multilevel_figures), lme = lapply(with_lme, lme_figures)),
               auto_unbox = TRUE, digits = I(15), pretty = TRUE)
writeLines(text, "tests/reference/expected/cluster_robust_more.json")

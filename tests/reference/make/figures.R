# Reference figures from R. From the root of the repository: Rscript tests/reference/make/figures.R
# Writes tests/reference/expected/*.json with the versions that made them.

suppressPackageStartupMessages({
  library(lme4); library(lmerTest); library(clubSandwich); library(estimatr); library(metafor); library(jsonlite)
})

packages <- c("lme4", "lmerTest", "clubSandwich", "estimatr", "metafor")
versions <- c(list(R = paste(R.version$major, R.version$minor, sep = ".")),
              setNames(lapply(packages, function(p) as.character(packageVersion(p))), packages))

write_figures <- function(name, figures) {
  text <- toJSON(list(versions = versions, figures = figures), auto_unbox = TRUE, digits = 12, pretty = TRUE)
  writeLines(text, file.path("tests/reference/expected", paste0(name, ".json")))
}

# armpilot -> arm[pilot], as the toolkit names its columns.
our_names <- function(names) gsub("^(arm|kind|strata|school_type)(.+)$", "\\1[\\2]", names)

by_name <- function(names, ...) {
  columns <- list(...)
  setNames(lapply(seq_along(names), function(k) lapply(columns, function(column) unname(column[k]))), our_names(names))
}

read_set <- function(name) {
  data <- read.csv(file.path("tests/reference/data", paste0(name, ".csv")))
  data$arm <- relevel(factor(data$arm), ref = "control")
  data
}

awards <- read.csv("examples/achievement-awards/achievement_awards.csv.gz", colClasses = c(school_id = "character"))
awards <- awards[awards$year == "2001", ]
awards$arm <- relevel(factor(ifelse(awards$treated == 1, "awards", "control")), ref = "control")
awards$strata <- factor(sprintf("pair %02d", as.integer(awards$pair)))

sets <- list(awards = awards, pairs = read_set("pairs"), flat = read_set("flat"), three_arms = read_set("three_arms"))

linear <- list(
  awards_type = list("awards", Bagrut_status ~ arm + school_type),
  awards_pairs = list("awards", Bagrut_status ~ arm + lagscore + strata),
  pairs_strata = list("pairs", score ~ arm + baseline + strata),
  pairs_plain = list("pairs", score ~ arm),
  flat = list("flat", score ~ arm + baseline),
  three_arms = list("three_arms", score ~ arm + baseline + kind),
  three_arms_unconditional = list("three_arms", score ~ 1)
)

tight_lmer <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, rhobeg = 1e-3, maxfun = 1e5),
                          check.conv.singular = "ignore")

mixed_figures <- function(entry) {
  data <- sets[[entry[[1]]]]
  fit <- lmerTest::lmer(update(entry[[2]], . ~ . + (1 | school_id)), data, REML = TRUE, control = tight_lmer)
  table <- coef(summary(fit, ddf = "Satterthwaite"))
  components <- as.data.frame(VarCorr(fit))$vcov
  list(set = entry[[1]], formula = deparse1(entry[[2]]), n = nrow(data),
       coefficients = by_name(rownames(table), estimate = table[, "Estimate"], std_error = table[, "Std. Error"],
                              df = table[, "df"], p_value = table[, "Pr(>|t|)"]),
       school_variance = components[1], pupil_variance = components[2], deviance = as.numeric(REMLcrit(fit)))
}
write_figures("linear_mixed", lapply(linear, mixed_figures))

clustered_figures <- function(entry) {
  data <- sets[[entry[[1]]]]
  fit <- lm(entry[[2]], data)
  table <- coef_test(fit, vcov = vcovCR(fit, cluster = data$school_id, type = "CR2"), test = "Satterthwaite")
  second <- lm_robust(entry[[2]], data, clusters = school_id, se_type = "CR2")
  list(set = entry[[1]], formula = deparse1(entry[[2]]), n = nrow(data),
       coefficients = by_name(rownames(table), estimate = table$beta, std_error = table$SE, df = table$df_Satt,
                              p_value = table$p_Satt),
       estimatr = by_name(names(coef(second)), std_error = second$std.error, df = second$df))
}
chosen <- c("awards_type", "awards_pairs", "pairs_strata", "pairs_plain", "flat", "three_arms")
write_figures("linear_cluster", lapply(linear[chosen], clustered_figures))

logistic <- list(
  awards_plain = list("awards", Bagrut_status ~ arm),
  awards_type = list("awards", Bagrut_status ~ arm + school_type),
  pairs_baseline = list("pairs", left ~ arm + baseline),
  three_arms = list("three_arms", left ~ arm + baseline)
)

# The default tolerances stop about 1e-4 above the least deviance; these do not.
tight_glmer <- glmerControl(optimizer = "bobyqa", tolPwrss = 1e-13, optCtrl = list(rhoend = 1e-10, maxfun = 1e6),
                            check.conv.grad = "ignore", check.conv.hess = "ignore")

logistic_figures <- function(entry, nodes, control) {
  data <- sets[[entry[[1]]]]
  fit <- suppressWarnings(glmer(update(entry[[2]], . ~ . + (1 | school_id)), data, family = binomial, nAGQ = nodes,
                                control = control))
  table <- coef(summary(fit))
  list(set = entry[[1]], formula = deparse1(entry[[2]]), nodes = nodes, n = nrow(data),
       coefficients = by_name(rownames(table), estimate = table[, "Estimate"], std_error = table[, "Std. Error"]),
       school_sd = sqrt(VarCorr(fit)$school_id[1]), deviance = -2 * as.numeric(logLik(fit)))
}
figures <- list()
for (name in names(logistic)) {
  for (nodes in c(1, 15)) {
    figures[[paste(name, nodes, sep = "_")]] <- logistic_figures(logistic[[name]], nodes, tight_glmer)
  }
}
write_figures("logistic_mixed", figures)

pools <- list(
  apart = list(c(0.9, 0.1, 0.5), c(0.12, 0.15, 0.10)),
  alike = list(c(-0.031, -0.042, -0.036), c(0.020, 0.025, 0.018)),
  two = list(c(0.2, 0.6), c(0.1, 0.2)),
  five = list(c(0.10, 0.35, -0.05, 0.22, 0.60), c(0.11, 0.14, 0.09, 0.20, 0.16))
)
pooled <- function(entry, test) {
  fit <- rma(yi = entry[[1]], sei = entry[[2]], method = "REML", test = test,
             control = list(threshold = 1e-14, maxiter = 10000))
  list(estimate = as.numeric(fit$beta), std_error = fit$se, df = fit$dfs, p_value = fit$pval, conf_low = fit$ci.lb,
       conf_high = fit$ci.ub, tau2 = fit$tau2)
}
write_figures("pooling", lapply(pools, function(entry) {
  list(estimates = entry[[1]], std_errors = entry[[2]], knha = pooled(entry, "knha"), adhoc = pooled(entry, "adhoc"))
}))

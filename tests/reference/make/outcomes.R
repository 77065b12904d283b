# Reference figures of dropout and absence. From the root of the repository:
# Rscript tests/reference/make/outcomes.R
# Writes tests/reference/expected/outcomes_*.json with the versions that made them.

suppressPackageStartupMessages({
  library(lme4); library(MASS); library(geepack); library(ordinal); library(jsonlite)
})

packages <- c("lme4", "clubSandwich", "MASS", "geepack", "ordinal")
versions <- c(list(R = paste(R.version$major, R.version$minor, sep = ".")),
              setNames(lapply(packages, function(p) as.character(packageVersion(p))), packages))

write_figures <- function(name, figures) {
  text <- toJSON(list(versions = versions, figures = figures), auto_unbox = TRUE, digits = 12, pretty = TRUE)
  writeLines(text, file.path("tests/reference/expected", paste0("outcomes_", name, ".json")))
}
our_names <- function(names) gsub("^(arm|kind|term)(.+)$", "\\1[\\2]", names)
by_name <- function(names, ...) {
  columns <- list(...)
  setNames(lapply(seq_along(names), function(k) lapply(columns, function(column) unname(column[k]))), our_names(names))
}
read_set <- function(name) {
  data <- read.csv(file.path("tests/reference/data", paste0(name, ".csv")))
  data$arm <- relevel(factor(data$arm), ref = "control")
  data[order(data$school_id), ]
}

leaving <- read_set("leaving")
leaving$left <- as.integer(leaving$status == "left_early")
leaving$high <- as.integer(leaving$engagement >= 4)
leaving$share <- (leaving$engagement - 1) / 4
sets <- list(leaving = leaving, three_arms = read_set("three_arms"))

tight <- glmerControl(optimizer = "bobyqa", tolPwrss = 1e-13, optCtrl = list(rhoend = 1e-10, maxfun = 1e6),
                      check.conv.grad = "ignore", check.conv.hess = "ignore")
mixed <- function(set, formula, nodes, family) {
  fit <- suppressWarnings(glmer(update(formula, . ~ . + (1 | school_id)), sets[[set]], family = family, nAGQ = nodes,
                                control = tight))
  table <- coef(summary(fit))
  list(set = set, nodes = nodes,
       coefficients = by_name(rownames(table), estimate = table[, "Estimate"], std_error = table[, "Std. Error"]),
       school_sd = sqrt(VarCorr(fit)$school_id[1]), deviance = -2 * as.numeric(logLik(fit)))
}

binary <- list()
for (nodes in c(1, 15)) {
  binary[[paste0("leaving_logit_", nodes)]] <- mixed("leaving", left ~ arm + prior, nodes, binomial("logit"))
  binary[[paste0("leaving_cloglog_", nodes)]] <- mixed("leaving", left ~ arm + prior, nodes, binomial("cloglog"))
  binary[[paste0("three_arms_cloglog_", nodes)]] <- mixed("three_arms", left ~ arm + baseline, nodes, binomial("cloglog"))
}
write_figures("binary", binary)

# Classes in schools, Laplace: glmer has no more nodes for more than one grouping.
classes <- read.csv("tests/reference/data/leaving_classes.csv")
classes$arm <- relevel(factor(classes$arm), ref = "control")
nested <- function(formula, family) {
  fit <- suppressWarnings(glmer(formula, classes, family = family, nAGQ = 1, control = tight))
  table <- coef(summary(fit))
  sd <- sapply(VarCorr(fit), function(v) sqrt(v[1]))
  list(coefficients = by_name(rownames(table), estimate = table[, "Estimate"], std_error = table[, "Std. Error"]),
       school_sd = unname(sd["school"]), class_sd = unname(sd["class:school"]), deviance = -2 * as.numeric(logLik(fit)))
}
write_figures("nested", list(
  logit = nested(left ~ arm + prior + (1 | school/class), binomial),
  poisson = nested(late ~ arm + prior + (1 | school/class), poisson)))

slopes <- suppressWarnings(glmer(high ~ arm + prior + (1 + prior | school_id), leaving, family = binomial, nAGQ = 1,
                                 control = tight))
table <- coef(summary(slopes))
covariance <- as.matrix(VarCorr(slopes)$school_id)
write_figures("slopes", list(laplace = list(
  coefficients = by_name(rownames(table), estimate = table[, "Estimate"], std_error = table[, "Std. Error"]),
  school = covariance[1, 1], slope = covariance[2, 2], covariance = covariance[1, 2],
  deviance = -2 * as.numeric(logLik(slopes)))))

counts <- list()
for (nodes in c(1, 15)) {
  counts[[paste0("poisson_", nodes)]] <- mixed("leaving", absences ~ arm + prior + offset(log(days)), nodes, poisson)
}
negative <- suppressWarnings(glmer.nb(absences ~ arm + prior + offset(log(days)) + (1 | school_id), leaving,
                                      control = tight, nb.control = list(tol = 1e-10)))
table <- coef(summary(negative))
counts$negative_binomial_1 <- list(
  set = "leaving", nodes = 1, dispersion = 1 / getME(negative, "glmer.nb.theta"),
  coefficients = by_name(rownames(table), estimate = table[, "Estimate"], std_error = table[, "Std. Error"]),
  school_sd = sqrt(VarCorr(negative)$school_id[1]), deviance = -2 * as.numeric(logLik(negative)))
# Given the dispersion, 15 nodes; glmer's log-likelihood leaves constants out there.
counts$negative_binomial_15 <- mixed("leaving", absences ~ arm + prior + offset(log(days)), 15,
                                     negative.binomial(theta = 1 / 0.929224342752))
plain <- glm.nb(absences ~ arm + prior + offset(log(days)), leaving, control = glm.control(epsilon = 1e-14, maxit = 200))
counts$glm_nb <- list(set = "leaving", dispersion = 1 / plain$theta, deviance = -2 * as.numeric(logLik(plain)),
                      coefficients = by_name(names(coef(plain)), estimate = coef(plain)))
write_figures("counts", counts)

gee <- function(formula, family, corstr) {
  fit <- geeglm(formula, family = family, data = leaving, id = factor(school_id), corstr = corstr,
                control = geese.control(epsilon = 1e-12, maxit = 200))
  table <- coef(summary(fit))
  list(coefficients = by_name(rownames(table), estimate = table$Estimate, std_error = table$Std.err),
       correlation = if (corstr == "exchangeable") unname(fit$geese$alpha) else 0)
}
write_figures("gee", list(
  logit_independence = gee(left ~ arm + prior, binomial, "independence"),
  logit_exchangeable = gee(left ~ arm + prior, binomial, "exchangeable"),
  log_independence = gee(left ~ arm, poisson("log"), "independence"),
  identity_exchangeable = gee(left ~ arm, gaussian("identity"), "exchangeable"),
  poisson_exchangeable = gee(absences ~ arm + prior + offset(log(days)), poisson("log"), "exchangeable"),
  fractional_independence = suppressWarnings(gee(share ~ arm + prior, binomial, "independence"))
))

ordinal_fit <- function(nodes) {
  fit <- clmm(factor(engagement) ~ arm + prior + (1 | school_id), data = leaving, nAGQ = nodes,
              control = clmm.control(gradTol = 1e-8, maxIter = 200))
  list(nodes = nodes, thresholds = unname(fit$alpha), deviance = -2 * as.numeric(logLik(fit)), school_sd = unname(fit$ST[[1]][1]),
       coefficients = by_name(names(fit$beta), estimate = fit$beta, std_error = sqrt(diag(vcov(fit)))[names(fit$beta)]))
}
write_figures("ordinal", list(clmm_1 = ordinal_fit(1), clmm_15 = ordinal_fit(15)))

# Reference figures of ratios of standardised shares, of exact intervals of intraclass correlations and of Hedges' g.
# From the root of the repository: Rscript tests/reference/make/derived_quantities.R
# Writes tests/reference/expected/derived_quantities.json with the versions that made them.

suppressPackageStartupMessages({ library(lme4); library(clubSandwich); library(jsonlite) })

packages <- c("lme4", "clubSandwich")
versions <- c(list(R = paste(R.version$major, R.version$minor, sep = ".")),
              setNames(lapply(packages, function(p) as.character(packageVersion(p))), packages))

read_set <- function(name) {
  if (name == "awards") {
    data <- read.csv("examples/achievement-awards/achievement_awards.csv.gz", colClasses = c(school_id = "character"))
    data <- data[data$year == "2001", ]
    data$arm <- ifelse(data$treated == 1, "awards", "control")
    data$strata <- sprintf("pair %02d", as.integer(data$pair))
  } else {
    data <- read.csv(file.path("tests/reference/data", paste0(name, ".csv")))
  }
  data$arm <- relevel(factor(data$arm), ref = "control")
  # Weights of schools that anybody can make again: the first in sorted order has 0.75, the second 1, ..., the seventh 0.5.
  data$w <- 0.5 + (as.integer(factor(data$school_id)) %% 7) / 4
  data
}

# Shares by arm with every pupil in that arm, and contrasts of the coefficients by the delta method with CR2 errors.
ratios_of <- function(name, formula, kind) {
  data <- read_set(name)
  fit <- switch(kind, plain = lm(formula, data), weighted = lm(formula, data, weights = w),
                mixed = lmer(update(formula, . ~ . + (1 | school_id)), data))
  coefficients <- if (kind == "mixed") fixef(fit) else coef(fit)
  shares <- function(arm) {
    changed <- data
    changed$arm <- factor(arm, levels = levels(data$arm))
    colMeans(model.matrix(delete.response(terms(formula)), changed))
  }
  rows <- t(sapply(levels(data$arm), shares))
  risk <- drop(rows %*% coefficients)
  vcov <- vcovCR(fit, cluster = factor(data$school_id), type = "CR2")
  contrast <- function(slope) {
    L <- matrix(drop(slope %*% rows), nrow = 1)
    found <- Wald_test(fit, constraints = L, vcov = vcov, test = "HTZ")  # of one contrast: Satterthwaite's
    list(std_error = sqrt(drop(L %*% as.matrix(vcov) %*% t(L))), df = found$df_denom)
  }
  by_arm <- lapply(setNames(nm = levels(data$arm)[-1]), function(arm) {
    place <- match(arm, levels(data$arm))
    unit <- function(low, high) { slope <- numeric(nrow(rows)); slope[1] <- -low; slope[place] <- high; slope }
    log_risk <- c(contrast(unit(1 / risk[1], 1 / risk[place])), list(estimate = log(risk[[place]] / risk[[1]])))
    odds <- 1 / (risk * (1 - risk))
    log_odds <- c(contrast(unit(odds[1], odds[place])), list(estimate = qlogis(risk[[place]]) - qlogis(risk[[1]])))
    list(risk_ratio = log_risk, marginal_odds_ratio = log_odds)
  })
  list(set = name, formula = deparse1(formula), model = kind, risks = as.list(risk), arms = by_arm)
}

# Limits of the ratio of variances by Harville and Fenech (1985), with the covariance of all pupils written out.
components_of <- function(name, formula, effect) {
  data <- read_set(name)
  fit <- lmer(update(formula, . ~ . + (1 | school_id)), data)
  variances <- as.data.frame(VarCorr(fit))$vcov
  y <- model.response(model.frame(formula, data))
  x <- model.matrix(formula, data)
  z <- model.matrix(~ 0 + factor(school_id), data)
  both <- qr(cbind(x, z))
  left <- function(ratio) {
    covariance <- diag(length(y)) + ratio * z %*% t(z)
    root <- chol(covariance)
    sum(qr.resid(qr(backsolve(root, x, transpose = TRUE)), backsolve(root, y, transpose = TRUE))^2)
  }
  within <- sum(qr.resid(both, y)^2)
  df_within <- length(y) - both$rank
  df_between <- both$rank - ncol(x)
  f_ratio <- function(ratio) (left(ratio) - within) / df_between / (within / df_within)
  limit <- function(p) {
    value <- qf(p, df_between, df_within)
    if (f_ratio(0) <= value) return(0)
    uniroot(function(ratio) f_ratio(ratio) - value, c(0, 1e3), tol = 1e-12)$root
  }
  ratios <- c(limit(0.975), limit(0.025))
  mean_size <- (sum(z^2) - sum(qr.fitted(qr(x), z)^2)) / df_between
  total <- sum(variances)
  between <- variances[2] + mean_size * variances[1]
  variance <- 2 * between^2 / mean_size^2 / df_between + 2 * (1 - 1 / mean_size)^2 * variances[2]^2 / df_within
  h <- 2 * total^2 / variance
  list(set = name, formula = deparse1(formula), school = variances[1], pupil = variances[2], icc = variances[1] / total,
       icc_low = ratios[1] / (1 + ratios[1]), icc_high = ratios[2] / (1 + ratios[2]), variance_df = h,
       effect = unname(effect), hedges_g = unname(effect) * (1 - 3 / (4 * h - 1)) / sqrt(total))
}

ratios <- list(
  awards_plain = ratios_of("awards", Bagrut_status ~ arm, "plain"),
  awards_adjusted = ratios_of("awards", Bagrut_status ~ arm + lagscore + school_type, "plain"),
  awards_weighted = ratios_of("awards", Bagrut_status ~ arm + lagscore, "weighted"),
  awards_mixed = ratios_of("awards", Bagrut_status ~ arm + lagscore, "mixed"),
  three_arms_plain = ratios_of("three_arms", left ~ arm + baseline, "plain"),
  three_arms_mixed = ratios_of("three_arms", left ~ arm, "mixed")
)
components <- list(
  pairs = components_of("pairs", score ~ arm + strata, 0.3),
  flat = components_of("flat", score ~ arm, 0.3),
  three_arms = components_of("three_arms", score ~ arm, 0.3)
)
text <- toJSON(list(versions = versions, ratios = ratios, components = components), auto_unbox = TRUE, digits = 12, pretty = TRUE)
writeLines(text, "tests/reference/expected/derived_quantities.json")

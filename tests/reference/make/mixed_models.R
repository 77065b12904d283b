# Reference figures of multilevel models from R. From the root of the repository:
#   Rscript tests/reference/make/mixed_models.R [name of a model ...]    (all of them without names)
# Writes tests/reference/expected/mixed_models.json, and mixed_models_more.json (marginal means, residual variances by
# group, profile intervals), with the versions that made them; the name "more" makes the second only.

suppressPackageStartupMessages({ library(lme4); library(lmerTest); library(pbkrtest); library(jsonlite)
  library(emmeans); library(nlme) })

packages <- c("lme4", "lmerTest", "pbkrtest", "emmeans", "nlme")
versions <- c(list(R = paste(R.version$major, R.version$minor, sep = ".")),
              setNames(lapply(packages, function(p) as.character(packageVersion(p))), packages))

our_names <- function(names) {
  names <- gsub("(^|:)(arm|kind|strata|school_type|sex|stratum|room|site|year)(?!$)([^:]+)", "\\1\\2[\\3]", names, perl = TRUE)
  names
}

read_set <- function(name) {
  file <- file.path("tests/reference/data", paste0(name, ".csv"))
  data <- read.csv(file, stringsAsFactors = TRUE)
  if ("arm" %in% names(data)) data$arm <- relevel(data$arm, ref = "control")
  if ("school_id" %in% names(data)) data$school <- data$school_id
  data
}

awards <- read.csv("examples/achievement-awards/achievement_awards.csv.gz", colClasses = c(school_id = "character"))
awards$arm <- relevel(factor(ifelse(awards$treated == 1, "awards", "control")), ref = "control")
awards$strata <- factor(sprintf("pair %02d", as.integer(awards$pair)))
awards$school <- awards$school_id
awards$year <- factor(awards$year)

sets <- list(awards = awards[awards$year == "2001", ], awards_all = awards)
for (name in c("pairs", "flat", "three_arms")) sets[[name]] <- read_set(name)
for (name in c("unbalanced", "tiny", "slopes", "singular_slopes", "multisite", "three_levels", "classes", "strata", "offset",
               "factors")) sets[[name]] <- read_set(paste0("mixed_", name))
# R's own figures lose digits to the offsets (pbkrtest stops): they are taken without, and ours with them. All but the
# intercept stays the same.
sets$offset$score <- sets$offset$score - 1e6
sets$offset$x <- sets$offset$x - 1000

# name = set, formula, terms tested jointly, weights
models <- list(
  awards_type = list("awards", "Bagrut_status ~ arm + school_type + (1 | school)", "school_type"),
  awards_pairs = list("awards", "Bagrut_status ~ arm + lagscore + strata + (1 | school)", NULL),
  awards_score = list("awards_all", "awarded ~ arm * sex + siblings + father_ed + mother_ed + immigrant + (1 | school)", "arm:sex"),
  awards_years = list("awards_all", "achv_math ~ arm + sex + year + (1 | school/year)", NULL),
  pairs_strata = list("pairs", "score ~ arm + baseline + strata + (1 | school)", NULL),
  pairs_plain = list("pairs", "score ~ arm + (1 | school)", NULL),
  flat = list("flat", "score ~ arm + baseline + (1 | school)", NULL),
  three_arms = list("three_arms", "score ~ arm + baseline + kind + (1 | school)", "arm"),
  three_arms_unconditional = list("three_arms", "score ~ 1 + (1 | school)", NULL),
  unbalanced = list("unbalanced", "score ~ arm + x + (1 | school)", NULL),
  unbalanced_slope = list("unbalanced", "score ~ arm * x + (1 + x | school)", NULL),
  tiny = list("tiny", "score ~ arm + x + (1 | school)", NULL),
  slopes = list("slopes", "score ~ arm * x + (1 + x | school)", NULL),
  slopes_uncorrelated = list("slopes", "score ~ arm + x + (1 + x || school)", NULL),
  singular_slopes = list("singular_slopes", "score ~ arm + x + (1 + x | school)", NULL),
  multisite = list("multisite", "score ~ arm + x + (1 + arm | school)", NULL),
  three_levels = list("three_levels", "score ~ arm + x + (1 | country/school)", NULL),
  three_levels_slope = list("three_levels", "score ~ arm + x + (1 | country) + (1 + x | country:school)", NULL),
  classes = list("classes", "score ~ arm + x + (1 | school/room)", "arm"),
  strata = list("strata", "score ~ arm + x + stratum + (1 | school)", NULL),
  offset = list("offset", "score ~ arm + x + (1 | school)", NULL),
  factors = list("factors", "score ~ arm * sex + x + (1 | school)", "arm:sex"),
  factors_weights = list("factors", "score ~ arm * sex + x + (1 | school)", "arm", "weight"),
  factors_sites = list("factors", "score ~ arm + sex + x + (1 + sex | site) + (1 | school)", "arm")
)

control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-11, rhobeg = 0.2, maxfun = 1e5),
                       check.conv.singular = "ignore", check.conv.grad = "ignore", check.conv.hess = "ignore",
                       check.nobs.vs.nRE = "ignore", check.scaleX = "ignore")

fitted_by <- function(entry, REML) {
  data <- sets[[entry[[1]]]]
  if (length(entry) > 3) data$w <- data[[entry[[4]]]]
  formula <- as.formula(entry[[2]])
  if (length(entry) > 3) lmerTest::lmer(formula, data, REML = REML, control = control, weights = w)
  else lmerTest::lmer(formula, data, REML = REML, control = control)
}

joint <- function(fit, term, weighted) {
  places <- which(attr(model.matrix(fit), "assign") == match(term, attr(terms(fit), "term.labels")))
  L <- diag(length(fixef(fit)))[places, , drop = FALSE]
  sw <- contest(fit, L, joint = TRUE, ddf = "Satterthwaite")
  kr <- if (weighted) NULL else KRmodcomp(fit, L)$test
  list(term = term,
       satterthwaite = list(statistic = sw[["F value"]], df_numerator = sw$NumDF, df_denominator = sw$DenDF),
       kenward_roger = if (weighted) NULL else list(statistic = kr["Ftest", "stat"], df_numerator = kr["Ftest", "ndf"],
                            df_denominator = kr["Ftest", "ddf"], scaling = kr["Ftest", "F.scaling"]))
}

figures <- function(name) {
  entry <- models[[name]]
  fit <- fitted_by(entry, TRUE)
  ml <- fitted_by(entry, FALSE)
  chosen <- !grepl("^stratum", names(fixef(fit))) & !(entry[[1]] == "offset" & names(fixef(fit)) == "(Intercept)")
  satterthwaite <- coef(summary(fit, ddf = "Satterthwaite"))
  # pbkrtest leaves weights out of the residual variance: no figures of its method for weighted models.
  weighted <- length(entry) > 3
  adjusted <- if (weighted) vcov(fit) else vcovAdj(fit)
  p <- length(fixef(fit))
  kr_df <- vapply(which(chosen), function(k)
    if (weighted) NA_real_ else as.numeric(Lb_ddf(diag(p)[k, ], vcov(fit), adjusted)), 0)
  coefficients <- lapply(seq_along(which(chosen)), function(place) {
    k <- which(chosen)[place]
    list(estimate = unname(fixef(fit)[k]), std_error = unname(satterthwaite[k, "Std. Error"]),
         df_satterthwaite = unname(satterthwaite[k, "df"]), std_error_kenward_roger = if (weighted) NA_real_ else sqrt(adjusted[k, k]),
         df_kenward_roger = kr_df[place], estimate_ml = unname(fixef(ml)[k]),
         std_error_ml = unname(coef(summary(ml))[k, "Std. Error"]))
  })
  components <- as.data.frame(VarCorr(fit))
  effects <- as.data.frame(ranef(fit, condVar = TRUE))
  effects <- effects[seq_len(min(6, nrow(effects))), ]
  clean <- function(x) ifelse(is.na(x), "", our_names(as.character(x)))
  cat(name, "\n")
  list(set = entry[[1]], formula = entry[[2]], weights = if (length(entry) > 3) entry[[4]] else "", n = nobs(fit),
       singular = isSingular(fit), log_likelihood = as.numeric(logLik(fit)), log_likelihood_ml = as.numeric(logLik(ml)),
       coefficients = setNames(coefficients, our_names(names(fixef(fit))[chosen])),
       components = lapply(seq_len(nrow(components)), function(k)
         list(group = components$grp[k], term = clean(components$var1[k]), other = clean(components$var2[k]),
              variance = components$vcov[k])),
       effects = lapply(seq_len(nrow(effects)), function(k)
         list(group = as.character(effects$grpvar[k]), term = our_names(as.character(effects$term[k])),
              label = as.character(effects$grp[k]), estimate = effects$condval[k], std_error = effects$condsd[k])),
       joint = if (is.null(entry[[3]])) NULL else joint(fit, entry[[3]], weighted))
}

file <- "tests/reference/expected/mixed_models.json"
chosen <- commandArgs(trailingOnly = TRUE)
result <- if (length(chosen)) fromJSON(file, simplifyVector = FALSE)$figures else list()
for (name in if (length(chosen)) setdiff(chosen, "more") else names(models)) result[[name]] <- figures(name)
result <- result[names(models)]
text <- toJSON(list(versions = versions, figures = result), auto_unbox = TRUE, digits = 14, pretty = TRUE, null = "null",
               na = "null")
writeLines(text, file)

marginal <- function(set, formula, factor) {
  fit <- fitted_by(list(set, formula, NULL), TRUE)
  # emmeans asks lmerTest for degrees of freedom by either method.
  by <- function(method) {
    means <- emmeans(fit, factor, lmer.df = method, lmerTest.limit = 1e5, pbkrtest.limit = 1e5)
    pairs <- as.data.frame(contrast(means, "revpairwise"))
    means <- as.data.frame(means)
    list(means = lapply(seq_len(nrow(means)), function(k)
           list(level = as.character(means[[factor]][k]), estimate = means$emmean[k], std_error = means$SE[k],
                df = means$df[k])),
         pairs = lapply(seq_len(nrow(pairs)), function(k)
           list(contrast = as.character(pairs$contrast[k]), estimate = pairs$estimate[k], std_error = pairs$SE[k],
                df = pairs$df[k])))
  }
  list(set = set, formula = formula, factor = factor, kenward_roger = by("kenward-roger"),
       satterthwaite = by("satterthwaite"))
}

residual_by <- function(set, fixed, by) {
  data <- sets[[set]]
  data$by <- data[[by]]
  one <- function(method) {
    fit <- nlme::lme(as.formula(fixed), data = data, random = ~ 1 | school, weights = varIdent(form = ~ 1 | by),
                     method = method, control = lmeControl(tolerance = 1e-12, msTol = 1e-14, maxIter = 500, msMaxIter = 500,
                                                           opt = "optim", optimMethod = "BFGS", reltol = 1e-15))
    ratios <- coef(fit$modelStruct$varStruct, unconstrained = FALSE, allCoef = TRUE)
    list(log_likelihood = as.numeric(logLik(fit)), names = our_names(names(fixef(fit))), estimate = unname(fixef(fit)),
         std_error = unname(sqrt(diag(vcov(fit)))), school_variance = as.numeric(VarCorr(fit)["(Intercept)", "Variance"]),
         levels = names(ratios), residual_variances = unname((fit$sigma * ratios)^2))
  }
  list(set = set, formula = paste(fixed, "+ (1 | school)"), by = by, reml = one("REML"), ml = one("ML"))
}

more <- list(
  marginal = list(marginal("factors", "score ~ arm * sex + x + (1 | school)", "arm"),
                  marginal("three_arms", "score ~ arm + baseline + kind + (1 | school)", "arm"),
                  marginal("slopes", "score ~ arm + x + (1 + x | school)", "arm")),
  residual_by = list(residual_by("factors", "score ~ arm + sex + x", "sex"),
                     residual_by("unbalanced", "score ~ arm + x", "arm"))
)
text <- toJSON(list(versions = versions, figures = more), auto_unbox = TRUE, digits = 14, pretty = TRUE)
writeLines(text, "tests/reference/expected/mixed_models_more.json")

# Reference figures of cluster-robust variances. From the root of the repository:
# Rscript tests/reference/make/cluster_robust.R
# Writes tests/reference/expected/cluster_robust.json with the versions that made them.

suppressPackageStartupMessages({ library(lme4); library(clubSandwich); library(estimatr); library(jsonlite) })

packages <- c("lme4", "clubSandwich", "estimatr")
versions <- c(list(R = paste(R.version$major, R.version$minor, sep = ".")),
              setNames(lapply(packages, function(p) as.character(packageVersion(p))), packages))

our_names <- function(names) gsub("(arm|kind|strata|school_type)([^:)]+)", "\\1[\\2]", names)

by_name <- function(names, ...) {
  columns <- list(...)
  setNames(lapply(seq_along(names), function(k) lapply(columns, function(column) unname(column[k]))), our_names(names))
}

# Weights that anybody can make again: row 1 has 0.75, row 2 has 1, ..., row 7 has 0.5.
weighted <- function(data) {
  data$w <- 0.5 + (seq_len(nrow(data)) %% 7) / 4
  data
}

read_set <- function(name) {
  data <- read.csv(file.path("tests/reference/data", paste0(name, ".csv")))
  data$arm <- relevel(factor(data$arm), ref = "control")
  weighted(data)
}

awards <- read.csv("examples/achievement-awards/achievement_awards.csv.gz", colClasses = c(school_id = "character"))
awards <- awards[awards$year == "2001", ]
awards$arm <- relevel(factor(ifelse(awards$treated == 1, "awards", "control")), ref = "control")
awards$strata <- factor(sprintf("pair %02d", as.integer(awards$pair)))
far <- read_set("flat")
far$score <- far$score + 1e6
few <- subset(read_set("pairs"), school_id %in% sprintf("s%02d", 0:7))
sets <- list(awards = weighted(awards), pairs = read_set("pairs"), flat = read_set("flat"), far = far, few = few,
             three_arms = read_set("three_arms"))

models <- list(
  awards_type = list("awards", Bagrut_status ~ arm + school_type, NULL),
  awards_interaction = list("awards", Bagrut_status ~ arm * lagscore, NULL),
  awards_pairs = list("awards", Bagrut_status ~ arm + lagscore, "strata"),
  pairs_plain = list("pairs", score ~ arm, NULL),
  pairs_strata = list("pairs", score ~ arm + baseline, "strata"),
  pairs_interaction = list("pairs", score ~ arm * baseline + kind, NULL),
  flat = list("flat", score ~ arm + baseline, NULL),
  far = list("far", score ~ arm + baseline, NULL),
  few = list("few", score ~ arm + baseline, NULL),
  three_arms = list("three_arms", score ~ arm + baseline + kind, NULL)
)

shown <- function(table) !grepl("^strata", rownames(table))

# CR3 cannot be had where a school alone is a stratum: I - H is singular there.
figures_of <- function(fit, data, types) {
  made <- setNames(lapply(types, function(type) tryCatch(one_type(fit, data, type), error = function(problem) NULL)), types)
  made[!vapply(made, is.null, TRUE)]
}

one_type <- function(fit, data, type) {
  table <- coef_test(fit, vcov = vcovCR(fit, cluster = data$school_id, type = type), test = "Satterthwaite")
  table <- table[shown(table), ]
  by_name(rownames(table), estimate = table$beta, std_error = table$SE, df = table$df_Satt, p_value = table$p_Satt)
}

every_type <- c("CR0", "CR1", "CR1S", "CR2", "CR3")

model_figures <- function(entry) {
  data <- sets[[entry[[1]]]]
  strata <- entry[[3]]
  formula <- if (is.null(strata)) entry[[2]] else update(entry[[2]], . ~ . + strata)
  second <- if (is.null(strata)) {
    lm_robust(entry[[2]], data, clusters = school_id, se_type = "CR2")
  } else {
    lm_robust(entry[[2]], data, clusters = school_id, se_type = "CR2", fixed_effects = ~ strata)
  }
  mixed <- lmer(update(formula, . ~ . + (1 | school_id)), data, REML = TRUE,
                control = lmerControl(check.conv.singular = "ignore"))
  list(set = entry[[1]], formula = deparse1(entry[[2]]), fixed_effects = if (is.null(strata)) "" else strata,
       n = nrow(data),
       plain = figures_of(lm(formula, data), data, every_type),
       weighted = figures_of(lm(formula, data, weights = w), data, every_type),
       estimatr = by_name(names(coef(second)), std_error = second$std.error, df = second$df),
       variance_ratio = unname(getME(mixed, "theta")^2),
       mixed = figures_of(mixed, data, c("CR0", "CR2", "CR3")))
}

# Multilevel models fitted to the last figure; the cluster is the outermost group, as clubSandwich has it.
multilevel <- list(
  intercept = list("unbalanced", score ~ arm + x + (1 | school), "school"),
  strata = list("strata", score ~ arm + x + stratum + (1 | school), "school"),
  slopes = list("slopes", score ~ arm * x + (1 + x | school), "school"),
  slopes_uncorrelated = list("slopes", score ~ arm + x + (1 + x || school), "school"),
  singular_slopes = list("singular_slopes", score ~ arm + x + (1 + x | school), "school"),
  classes = list("classes", score ~ arm + x + (1 | school/room), "school"),
  countries = list("three_levels", score ~ arm + x + (1 | country/school), "country")
)

exact <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-11, rhobeg = 0.2, maxfun = 1e5),
                     check.conv.singular = "ignore", calc.derivs = FALSE)

multilevel_figures <- function(entry) {
  data <- read.csv(file.path("tests/reference/data", paste0("mixed_", entry[[1]], ".csv")))
  data$arm <- relevel(factor(data$arm), ref = "control")
  fit <- lmer(entry[[2]], data, REML = TRUE, control = exact)
  figures <- lapply(setNames(nm = c("CR0", "CR1", "CR2", "CR3")), function(type) tryCatch({
    table <- coef_test(fit, vcov = vcovCR(fit, cluster = factor(data[[entry[[3]]]]), type = type), test = "Satterthwaite")
    shown <- !grepl("^stratum", rownames(table))
    table <- table[shown, ]
    by_name(rownames(table), estimate = table$beta, std_error = table$SE, df = table$df_Satt, p_value = table$p_Satt)
  }, error = function(problem) NULL))
  list(set = entry[[1]], formula = deparse1(entry[[2]]), cluster = entry[[3]], n = nrow(data),
       figures = figures[!vapply(figures, is.null, TRUE)])
}

text <- toJSON(list(versions = versions, figures = lapply(models, model_figures),
                    multilevel = lapply(multilevel, multilevel_figures)), auto_unbox = TRUE,
               digits = I(15), pretty = TRUE)
writeLines(text, "tests/reference/expected/cluster_robust.json")

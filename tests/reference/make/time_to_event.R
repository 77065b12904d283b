# Reference figures of the time to leaving. From the root of the repository:
# Rscript tests/reference/make/time_to_event.R
# Writes tests/reference/expected/outcomes_time_to_event.json with the versions that made it.

suppressPackageStartupMessages({library(survival); library(jsonlite)})

versions <- c(list(R = paste(R.version$major, R.version$minor, sep = ".")),
              setNames(lapply(c("survival", "clubSandwich"), function(p) as.character(packageVersion(p))),
                       c("survival", "clubSandwich")))
write_figures <- function(name, figures) {
  text <- toJSON(list(versions = versions, figures = figures), auto_unbox = TRUE, digits = 12, pretty = TRUE)
  writeLines(text, file.path("tests/reference/expected", paste0("outcomes_", name, ".json")))
}
by_name <- function(names, ...) {
  columns <- list(...)
  names <- gsub("^arm(.+)$", "arm[\\1]", names)
  setNames(lapply(seq_along(names), function(k) lapply(columns, function(column) unname(column[k]))), names)
}
leaving <- read.csv("tests/reference/data/leaving.csv")
leaving$arm <- relevel(factor(leaving$arm), ref = "control")
leaving <- leaving[order(leaving$school_id), ]
leaving$left <- as.integer(leaving$status == "left_early")

curve <- function(fit, times) {
  at <- summary(fit, times = times, extend = TRUE)
  lapply(split(data.frame(time = at$time, share = at$surv, error = at$std.err), gsub("arm=", "", at$strata)), as.list)
}
kaplan_meier <- survfit(Surv(time, left) ~ arm, leaving)
# Each pupil's part in the share of its arm by the fourth term, and least squares of them by school.
leaving$part <- NA
for (arm in levels(leaving$arm)) {
  mine <- leaving$arm == arm
  leaving$part[mine] <- 1 - pseudo(survfit(Surv(time, left) ~ 1, leaving[mine, ]), times = 4)
}
parts <- lapply(split(leaving[c("time", "left", "part")], leaving$arm), function(d) as.list(unique(d)))
difference <- function(formula) {
  fit <- lm(formula, leaving)
  table <- clubSandwich::coef_test(fit, vcov = clubSandwich::vcovCR(fit, cluster = leaving$school_id, type = "CR2"),
                                   test = "Satterthwaite", coefs = "armpilot")
  list(estimate = table$beta, std_error = table$SE, df = table$df_Satt, p_value = table$p_Satt)
}
# The jackknife by school, with as many degrees of freedom as there are schools less the arm's column and one.
jackknife <- function(formula) {
  tight <- coxph.control(eps = 1e-14, iter.max = 100)
  schools <- unique(leaving$school_id)
  fit <- coxph(formula, leaving, ties = "efron", control = tight)
  without <- sapply(schools, function(s) coef(coxph(formula, leaving[leaving$school_id != s, ], ties = "efron",
                                                    control = tight))["armpilot"])
  n <- length(schools)
  error <- sqrt((n - 1) / n * sum((without - mean(without))^2))
  half <- qt(0.975, n - 2) * error
  log_ratio <- unname(coef(fit)["armpilot"])
  list(estimate = exp(log_ratio), std_error = error, conf_low = exp(log_ratio - half), conf_high = exp(log_ratio + half))
}
cox <- function(ties) {
  fit <- coxph(Surv(time, left) ~ arm + prior, leaving, ties = ties, cluster = school_id,
               control = coxph.control(eps = 1e-14, iter.max = 100))
  table <- coef(summary(fit))
  list(coefficients = by_name(rownames(table), estimate = table[, "coef"], model_error = table[, "se(coef)"],
                              std_error = table[, "robust se"]), log_likelihood = fit$loglik[2])
}
write_figures("time_to_event", list(
  kaplan_meier = curve(kaplan_meier, c(0.5, 1:6)),
  pseudo_values_4 = parts,
  difference_4_plain = difference(part ~ arm), difference_4_adjusted = difference(part ~ arm + prior),
  hazard_ratio_plain = jackknife(Surv(time, left) ~ arm), hazard_ratio_adjusted = jackknife(Surv(time, left) ~ arm + prior),
  cox_efron = cox("efron"), cox_breslow = cox("breslow")
))

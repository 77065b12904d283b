# Reference figures of randomisation tests by enumeration, in plain R. From the root of the repository:
# Rscript tests/reference/make/randomisation.R
# Writes tests/reference/expected/randomisation.json with the version that made them.
# Twelve schools in three arms: the team beside the control arm, given who is in the mentor arm (70 allocations), and
# both arms together beside the control arm (495). The statistic is the least squares effect with a covariate. The
# interval's ends are found by taking an effect off the treated pupils and enumerating again.

suppressPackageStartupMessages(library(jsonlite))

school <- rep(1:12, each = 4)
pupil <- rep(1:4, times = 12)
arm_of <- c("control", "mentor", "team", "team", "control", "mentor", "mentor", "team", "control", "control", "mentor",
            "team")
baseline <- round(sin(7 * school + pupil) + cos(3 * pupil), 3)
score <- round(0.6 * baseline + 0.8 * sin(5 * school) + 0.5 * cos(11 * school + 2 * pupil) +
                 0.9 * (arm_of[school] == "team") + 2.5 * (arm_of[school] == "mentor"), 3)

effect_of <- function(y, treated, x) unname(coef(lm(y ~ treated + x))[2])

p_of <- function(y, x, schools, own, treated_of) {
  places <- combn(length(schools), sum(treated_of))
  statistic <- function(places) effect_of(y, as.numeric(own %in% schools[places]), x)
  every <- apply(places, 2, statistic)
  actual <- statistic(which(treated_of))
  list(statistic = actual, n = length(every), n_as_far = sum(abs(every) >= abs(actual) * (1 - 1e-9)))
}

# What is not rejected ends where the p-value falls to 5 % or less.
end_of <- function(y, x, schools, own, treated_of, from, step) {
  treated <- as.numeric(own %in% schools[treated_of])
  rejects <- function(effect) { p <- p_of(y - effect * treated, x, schools, own, treated_of); p$n_as_far / p$n <= 0.05 }
  outside <- from + step
  while (!rejects(outside)) outside <- outside + step
  inside <- outside - step
  for (k in 1:30) { middle <- (inside + outside) / 2; if (rejects(middle)) outside <- middle else inside <- middle }
  outside
}

pair <- arm_of[school] != "mentor"
schools <- which(arm_of != "mentor")
treated_of <- arm_of[schools] == "team"
alone <- p_of(score[pair], baseline[pair], schools, school[pair], treated_of)
ends <- sapply(c(-0.25, 0.25), function(step)
  end_of(score[pair], baseline[pair], schools, school[pair], treated_of, alone$statistic, step))
together <- p_of(score, baseline, 1:12, school, arm_of != "control")

result <- list(
  versions = list(R = paste(R.version$major, R.version$minor, sep = ".")),
  data = list(school = sprintf("s%02d", school), arm = arm_of[school], baseline = baseline, score = score),
  team_given_mentor = c(alone, list(conf_low = ends[1], conf_high = ends[2])),
  any_together = together
)
writeLines(toJSON(result, digits = 12, auto_unbox = TRUE, pretty = TRUE),
           "tests/reference/expected/randomisation.json")

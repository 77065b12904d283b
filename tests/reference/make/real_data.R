# Reference figures of multilevel models of real data that ship with R. From the root of the repository:
#   Rscript tests/reference/make/real_data.R
# Writes tests/reference/data/real_NAME.csv and tests/reference/expected/real_data.json with the versions that made them.

suppressPackageStartupMessages({ library(lme4); library(lmerTest); library(pbkrtest); library(jsonlite); library(nlme)
  library(MASS); library(survival); library(geepack); library(splines); library(numDeriv) })

packages <- c("lme4", "lmerTest", "pbkrtest", "nlme", "MASS", "survival", "geepack", "numDeriv")
versions <- c(list(R = paste(R.version$major, R.version$minor, sep = ".")),
              setNames(lapply(packages, function(p) as.character(packageVersion(p))), packages))

# Ordered factors become plain ones: formulaic's are treatment contrasts for both.
from <- function(package, name, columns = NULL) {
  place <- new.env()
  data(list = name, package = package, envir = place)
  data <- as.data.frame(get(name, envir = place))
  if (!is.null(columns)) data <- data[, columns]
  for (column in names(data)) if (is.ordered(data[[column]])) data[[column]] <- factor(as.character(data[[column]]))
  data
}

sets <- list(
  sleepstudy = from("lme4", "sleepstudy"), Pastes = from("lme4", "Pastes"), cbpp = from("lme4", "cbpp"),
  Dyestuff2 = from("lme4", "Dyestuff2"), Arabidopsis = from("lme4", "Arabidopsis"), cake = from("lme4", "cake"),
  bdf = from("nlme", "bdf", c("schoolNR", "langPOST", "IQ.verb", "sex", "Minority", "ses")),
  Machines = from("nlme", "Machines"), Oxide = from("nlme", "Oxide"), Orthodont = from("nlme", "Orthodont"),
  ergoStool = from("nlme", "ergoStool"), Oxboys = from("nlme", "Oxboys"), Fatigue = from("nlme", "Fatigue"),
  Ovary = from("nlme", "Ovary"), Pixel = from("nlme", "Pixel"), Spruce = from("nlme", "Spruce"),
  dietox = from("geepack", "dietox"), kidney = survival::kidney, oats = from("MASS", "oats"),
  npk = from("datasets", "npk"), CO2 = from("datasets", "CO2"))
sets$sleepstudy$flag <- sets$sleepstudy$Days > 4
sets$sleepstudy$w <- 1 + (seq_len(nrow(sets$sleepstudy)) %% 4)
sets$cbpp$share <- sets$cbpp$incidence / sets$cbpp$size
for (name in names(sets)) {
  write.csv(sets[[name]], file.path("tests/reference/data", paste0("real_", name, ".csv")), row.names = FALSE, quote = FALSE)
}

# set, R's formula, and optionally ours, weights, maximum likelihood, no Kenward-Roger (pbkrtest leaves weights out)
model <- function(set, r, ours = r, weights = "", reml = TRUE) list(set = set, r = r, ours = ours, weights = weights, reml = reml)
models <- list(
  model("sleepstudy", "Reaction ~ Days + (Days | Subject)"),
  model("sleepstudy", "Reaction ~ Days + (Days | Subject)", reml = FALSE),
  model("sleepstudy", "Reaction ~ Days + (Days || Subject)"),
  model("sleepstudy", "Reaction ~ Days - 1 + (Days | Subject)"),
  model("sleepstudy", "Reaction ~ Days + (Days | Subject)", weights = "w"),
  model("sleepstudy", "log(Reaction) ~ poly(Days, 2) + (1 | Subject)"),
  model("sleepstudy", "Reaction ~ Days + I(Days^2) + (1 | Subject)"),
  model("sleepstudy", "Reaction ~ bs(Days, df = 4) + (1 | Subject)"),
  model("sleepstudy", "Reaction ~ factor(Days) + (1 | Subject)"),
  model("sleepstudy", "Reaction ~ flag * Days + (scale(Days) | Subject)"),
  model("Pastes", "strength ~ 1 + (1 | batch/cask)"),
  model("Pastes", "strength ~ cask + (1 | batch)", reml = FALSE),
  model("cbpp", "share ~ period + (1 | herd)", "share ~ C(period) + (1 | herd)", weights = "size"),
  model("cbpp", "incidence / size ~ factor(period) + (1 | herd)"),
  model("Dyestuff2", "Yield ~ 1 + (1 | Batch)"),
  model("Arabidopsis", "total.fruits ~ factor(nutrient) * amd + factor(rack) + status + (1 | reg/popu/gen)"),
  model("Arabidopsis", "sqrt(total.fruits) ~ nutrient + amd + reg + (1 | popu) + (1 + nutrient | popu:gen)"),
  model("cake", "angle ~ recipe * temp + (1 | recipe:replicate)"),
  model("cake", "angle ~ recipe / temp + (1 | replicate/recipe)"),
  model("bdf", "langPOST ~ IQ.verb * ses + factor(sex) + (1 | schoolNR)"),
  model("bdf", "langPOST ~ IQ.verb + Minority + (IQ.verb | schoolNR)"),
  model("Machines", "score ~ Machine + (1 | Worker/Machine)"),
  model("Machines", "score ~ Machine + (Machine | Worker)"),
  model("Machines", "score ~ 0 + Machine + (0 + Machine | Worker)"),
  model("Oxide", "Thickness ~ factor(Source) * factor(Site) + (1 | Lot/Wafer)"),
  model("Oxide", "Thickness ~ 1 + (1 | Lot) + (1 | Lot:Wafer)", reml = FALSE),
  model("Orthodont", "distance ~ I(age - 11) * Sex + (I(age - 11) | Subject)"),
  model("Orthodont", "distance ~ age:Sex + (1 | Subject)"),
  model("ergoStool", "effort ~ C(Type, contr.sum) + (1 | Subject)"),
  model("ergoStool", "effort ~ C(Type, contr.helmert) + (1 | Subject)"),
  model("Oxboys", "height ~ age + I(age^2) + (age + I(age^2) | Subject)"),
  model("Fatigue", "relLength ~ cycles + (cycles | Path)"),
  model("Ovary", "follicles ~ sin(2 * pi * Time) + cos(2 * pi * Time) + (1 | Mare)",
        "follicles ~ np.sin(2 * np.pi * Time) + np.cos(2 * np.pi * Time) + (1 | Mare)"),
  model("Pixel", "pixel ~ day + I(day^2) + (day | Dog) + (1 | Dog:Side)"),
  model("Spruce", "logSize ~ days + (1 | plot/Tree)"),
  model("dietox", "Weight ~ Feed + Time + Evit + (1 | Pig)"),
  model("dietox", "Weight ~ Evit * Cu * Time + (1 | Litter/Pig)"),
  model("kidney", "log(time) ~ age + factor(sex) + disease + (1 | id)"),
  model("oats", "Y ~ N + V + (1 | B/V)"),
  model("npk", "yield ~ N * P * K + (1 | block)"),
  model("CO2", "uptake ~ Type * Treatment + conc + (1 | Plant)")
)

control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-11, rhobeg = 0.2, maxfun = 1e5),
                       check.conv.singular = "ignore", check.conv.grad = "ignore", check.conv.hess = "ignore",
                       check.nobs.vs.nRE = "ignore", check.scaleX = "ignore")
still <- lmerControl(optimizer = NULL, check.conv.singular = "ignore", check.conv.grad = "ignore",
                     check.conv.hess = "ignore", check.nobs.vs.nRE = "ignore", check.scaleX = "ignore")

# bobyqa compares values, which tell variances to five or six digits; two steps of Newton's method do the rest.
fitted_by <- function(entry) {
  data <- sets[[entry$set]]
  data$weight_of_row <- if (nchar(entry$weights)) data[[entry$weights]] else 1
  formula <- as.formula(entry$r)
  by <- function(...) {
    if (nchar(entry$weights)) lmerTest::lmer(formula, data, REML = entry$reml, weights = weight_of_row, ...)
    else lmerTest::lmer(formula, data, REML = entry$reml, ...)
  }
  fit <- by(control = control)
  theta <- getME(fit, "theta")
  if (isSingular(fit)) return(fit)
  deviance <- as.function(by(control = control, devFunOnly = TRUE))
  moved <- theta
  for (k in 1:2) moved <- moved - solve(hessian(deviance, moved), grad(deviance, moved))
  if (!all(is.finite(moved)) || max(abs(moved - theta) / pmax(abs(theta), 1e-3)) > 1e-3) return(fit)
  by(control = still, start = list(theta = unname(moved)))
}

figures <- function(entry) {
  fit <- fitted_by(entry)
  satterthwaite <- coef(summary(fit, ddf = "Satterthwaite"))
  p <- length(fixef(fit))
  kr <- NULL
  if (entry$reml && !nchar(entry$weights)) {
    adjusted <- vcovAdj(fit)
    kr <- list(std_error = I(unname(sqrt(diag(as.matrix(adjusted))))),
               df = I(vapply(seq_len(p), function(k) as.numeric(Lb_ddf(diag(p)[k, ], vcov(fit), adjusted)), 0)))
  }
  components <- as.data.frame(VarCorr(fit))
  cat(entry$set, entry$r, "\n")
  c(entry, list(n = nobs(fit), singular = isSingular(fit), log_likelihood = as.numeric(logLik(fit)),
    names = I(names(fixef(fit))), estimate = I(unname(fixef(fit))), std_error = I(unname(satterthwaite[, "Std. Error"])),
    df = I(unname(satterthwaite[, "df"])), kenward_roger = kr, variances = I(components$vcov)))
}

# Which columns are factors, though they may look like numbers, and the order of their levels.
factors <- lapply(sets, function(data) lapply(Filter(is.factor, as.list(data)), function(column) I(levels(column))))
text <- toJSON(list(versions = versions, factors = factors, figures = lapply(models, figures)), auto_unbox = TRUE,
               digits = 14, pretty = TRUE, null = "null", na = "null")
writeLines(text, "tests/reference/expected/real_data.json")

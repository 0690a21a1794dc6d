# Writes analyses.json, R's side of the notebooks crossed_experiment, ecological_counts and repeated_binary, and the
# table verbal_aggression.csv that the first of them reads (a row a person, a column an item).
#
# Run in this folder as `Rscript make_analyses.R`.

suppressPackageStartupMessages({
  library(lme4)
  library(glmmTMB)
  library(emmeans)
  library(car)
  library(jsonlite)
})
emm_options(msg.interaction = FALSE, msg.nesting = FALSE)
bobyqa <- glmerControl(optimizer = "bobyqa", calc.derivs = TRUE)
coefs <- function(fit) {
  found <- coef(summary(fit))
  if (is.list(found)) found <- found$cond
  data.frame(term = rownames(found), estimate = found[, 1], se = found[, 2], row.names = NULL)
}
sds <- function(fit) {
  found <- VarCorr(fit)
  if (!is.null(found$cond)) found <- found$cond
  lapply(found, function(G) list(sd = unname(attr(G, "stddev")), correlation = unname(attr(G, "correlation"))[1, -1]))
}
plain <- function(x, ...) {
  out <- as.data.frame(summary(x, infer = TRUE, ...))
  for (name in names(out)) if (is.factor(out[[name]])) out[[name]] <- as.character(out[[name]])
  names(out) <- sub("^asymp[.]", "", names(out))
  out$df <- NULL
  out
}
tests <- function(x) {
  out <- as.data.frame(x)
  data.frame(term = rownames(out), chisq = out$Chisq, df = out$Df, p = out[["Pr(>Chisq)"]])
}
seconds <- function(expr) system.time(expr)[["elapsed"]]

# 1. Verbal aggression: 316 persons crossed with 24 items
wide <- reshape(
  VerbAgg[c("id", "Anger", "Gender", "item", "resp")], idvar = c("id", "Anger", "Gender"), timevar = "item",
  direction = "wide"
)
names(wide) <- c("person", "anger", "gender", sub("wantCurse", "WantCurse", levels(VerbAgg$item)))
write.csv(wide, "verbal_aggression.csv", row.names = FALSE, quote = FALSE)

verbal <- transform(VerbAgg, aggressive = as.integer(r2 == "Y"), anger = (Anger - 20) / 5)
formula <- aggressive ~ mode * Gender + btype + situ + anger + (mode | id) + (1 | item)
verbal_seconds <- seconds(fit <- glmer(formula, verbal, binomial, control = bobyqa))
intercepts <- update(fit, . ~ . - (mode | id) + (1 | id))
crossed <- list(
  seconds = verbal_seconds, llf = as.numeric(logLik(fit)), llf_intercepts = as.numeric(logLik(intercepts)),
  coef = coefs(fit), sd = sds(fit), anova = tests(Anova(fit, type = 2)),
  means = plain(emmeans(fit, ~ mode | Gender)),
  odds_ratios = plain(contrast(emmeans(fit, ~ mode | Gender, type = "response"), "revpairwise"))
)

# 2. Salamanders in streams below mines
streams <- read.csv("salamanders.csv", stringsAsFactors = TRUE)
poisson_fit <- glmmTMB(count ~ spp * mined + DOY + (1 | site), streams, poisson)
negative <- update(poisson_fit, family = nbinom2)
inflated <- update(poisson_fit, ziformula = ~ mined)
counts <- list(
  aic = list(poisson = AIC(poisson_fit), nb = AIC(negative), zip = AIC(inflated)),
  llf = as.numeric(logLik(negative)), coef = coefs(negative), sd = sds(negative), alpha = 1 / sigma(negative),
  anova = tests(Anova(negative, type = 2)),
  means = plain(emmeans(negative, ~ mined | spp, type = "response", df = Inf)),
  ratios = plain(contrast(emmeans(negative, ~ mined | spp, type = "response", df = Inf), "pairwise", ratios = TRUE))
)

# 3. Toenail infection: visits of 294 patients
nails <- read.csv("../../statsmodels_mcla/datasets/toenail/toenail.csv", stringsAsFactors = TRUE)
nails$moderate <- as.integer(nails$outcome != "none or mild")
formula <- moderate ~ treatment * time + (1 | patientID)
laplace <- glmer(formula, nails, binomial, control = bobyqa)
exact <- glmer(formula, nails, binomial, control = bobyqa, nAGQ = 25)
binary <- list(
  laplace = list(coef = coefs(laplace), sd = sds(laplace), llf = as.numeric(logLik(laplace))),
  quadrature = list(coef = coefs(exact), sd = sds(exact)),
  trends = plain(emtrends(exact, ~ treatment, var = "time")),
  trend_pairs = plain(contrast(emtrends(exact, ~ treatment, var = "time"), "revpairwise")),
  drop1 = {
    found <- as.data.frame(drop1(exact, test = "Chisq"))
    data.frame(term = rownames(found)[-1], lr = found$LRT[-1], p = found[["Pr(Chi)"]][-1])
  }
)
about <- sprintf(
  "Written by make_analyses.R, lme4 %s, glmmTMB %s, emmeans %s, car %s, %s.", packageVersion("lme4"),
  packageVersion("glmmTMB"), packageVersion("emmeans"), packageVersion("car"), R.version.string
)
entries <- list(`_about` = about, crossed_experiment = crossed, ecological_counts = counts, repeated_binary = binary)
writeLines(toJSON(entries, digits = 8, auto_unbox = TRUE, dataframe = "columns", pretty = 1), "analyses.json")

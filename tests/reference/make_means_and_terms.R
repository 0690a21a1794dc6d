# Writes means_and_terms.json: what emmeans, car and lme4 say of Laplace fits (nAGQ = 1) of glmer.
#
# Run in this folder as `Rscript make_means_and_terms.R`. Each entry has the estimates and the covariance of the fixed
# effects that its numbers are functions of, so that they compare to round-off; `llf` and likelihood ratios compare
# with other Laplace fits. Covariances are those of the numerical Hessian.

suppressPackageStartupMessages({
  library(lme4)
  library(emmeans)
  library(car)
  library(jsonlite)
})
emm_options(msg.interaction = FALSE, msg.nesting = FALSE)
tables <- "../../statsmodels_mcla/datasets"
read <- function(name) read.csv(file.path(tables, name, paste0(name, ".csv")), stringsAsFactors = TRUE)

bacteria <- read("bacteria")
bacteria$success <- as.integer(bacteria$y == "y")
bacteria$late <- as.integer(bacteria$week > 2)
bacteria$stage <- factor(ifelse(bacteria$week > 2, "late", "early"))
epil <- read("epil")
epil$trt <- relevel(epil$trt, "placebo")
epil$phase <- factor(epil$period)

control <- glmerControl(
  optimizer = "bobyqa", optCtrl = list(rhobeg = 2e-2, rhoend = 1e-9, maxfun = 1e5), tolPwrss = 1e-12,
  calc.derivs = TRUE
)
tight <- function(formula, data, family) {
  environment(formula) <- globalenv()
  fit <- do.call(glmer, list(formula, substitute(data), family, control = control))
  for (again in 1:3) fit <- update(fit, start = getME(fit, c("theta", "fixef")))
  fit@call$start <- NULL # drop1 fits smaller models by the same call
  fit
}
# columns that compare: names of levels, the number, SE, limits, z and p where there are some
plain <- function(x, infer = TRUE) {
  out <- as.data.frame(summary(x, infer = infer))
  for (name in names(out)) if (is.factor(out[[name]])) out[[name]] <- as.character(out[[name]])
  out$df <- NULL
  out
}
facts <- function(fit) list(
  names = names(fixef(fit)), beta = unname(fixef(fit)), cov = unname(as.matrix(vcov(fit))),
  vc = unname(unlist(lapply(VarCorr(fit), function(G) t(G)[upper.tri(G, diag = TRUE)]))),
  llf = as.numeric(logLik(fit))
)
table_of <- function(x) {
  out <- data.frame(term = rownames(x), x, check.names = FALSE, row.names = NULL)
  names(out) <- sub("^Pr\\(>?Chi(sq)?\\)$|^Pr\\(>Chisq\\)$|^Pr\\(Chi\\)$", "p", names(out))
  out
}

# 1. two factors that interact, one of them a 0/1 number in the first
mixed <- tight(success ~ trt * late + (1 | ID), bacteria, binomial)
factors <- tight(success ~ trt * stage + (1 | ID), bacteria, binomial)
both <- emmeans(factors, ~ trt * stage)
means <- list(
  zero_one = c(facts(mixed), list(
    trt = plain(emmeans(mixed, "trt")),
    response = plain(emmeans(mixed, "trt", type = "response")),
    at = plain(emmeans(mixed, "trt", at = list(late = 0.25)))
  )),
  factors = c(facts(factors), list(
    equal = plain(emmeans(factors, "trt")),
    proportional = plain(emmeans(factors, "trt", weights = "proportional")),
    outer = plain(emmeans(factors, "trt", weights = "outer")),
    cells = plain(emmeans(factors, "trt", weights = "cells")),
    by = plain(emmeans(factors, "trt", by = "stage", type = "response")),
    pairwise_tukey = plain(contrast(emmeans(factors, "trt"), "pairwise")),
    pairwise_holm = plain(contrast(emmeans(factors, "trt"), "pairwise", adjust = "holm")),
    pairwise_by = plain(contrast(emmeans(factors, "trt", by = "stage"), "pairwise", adjust = "tukey")),
    odds_ratios = plain(contrast(emmeans(factors, "trt", type = "response"), "pairwise", adjust = "bonferroni")),
    differences = plain(contrast(regrid(emmeans(factors, "trt")), "pairwise", adjust = "none")),
    control = plain(contrast(emmeans(factors, "trt"), "trt.vs.ctrl", ref = 3, adjust = "none")),
    sidak = plain(contrast(both, "pairwise", adjust = "sidak")),
    six_tukey = plain(contrast(both, "pairwise", adjust = "tukey")),
    custom = plain(contrast(emmeans(factors, "trt"), list(drugs = c(0.5, 0.5, -1)), adjust = "none")),
    interaction = plain(contrast(both, interaction = "pairwise")),
    mvt = plain(contrast(both, "pairwise", adjust = "mvt"))
  ))
)

# 2. a covariate that interacts with a factor, a factor of four levels
slopes <- tight(y ~ lbase * trt + lage + phase + (1 | subject), epil, poisson)
phases <- emmeans(slopes, "phase", type = "response")
means$counts <- c(facts(slopes), list(
  trt = plain(emmeans(slopes, "trt")),
  phase = plain(phases),
  poly = plain(contrast(phases, "poly")),
  consec = plain(contrast(phases, "consec", adjust = "none")),
  eff = plain(contrast(phases, "eff", adjust = "none")),
  trends = plain(emtrends(slopes, "trt", var = "lbase")),
  trend_pairs = plain(contrast(emtrends(slopes, "trt", var = "lbase"), "pairwise")),
  bias = plain(emmeans(slopes, "trt", type = "response", bias.adjust = TRUE, sigma = as.data.frame(VarCorr(slopes))$sdcor))
))

# 3. tests of terms
sums <- bacteria
contrasts(sums$trt) <- contr.sum(3)
contrasts(sums$stage) <- contr.sum(2)
summed <- tight(success ~ trt * stage + (1 | ID), sums, binomial)
additive <- tight(success ~ trt + stage + (1 | ID), bacteria, binomial)
drop <- function(fit, ...) table_of(as.data.frame(drop1(fit, ..., test = "Chisq")))
terms <- list(
  factors = c(facts(factors), list(
    wald2 = table_of(Anova(factors, type = 2)), wald3 = table_of(Anova(factors, type = 3)), drop1 = drop(factors)
  )),
  summed = c(facts(summed), list(wald3 = table_of(Anova(summed, type = 3)))),
  additive = c(facts(additive), list(wald2 = table_of(Anova(additive, type = 2)), drop1 = drop(additive))),
  counts = c(facts(slopes), list(wald2 = table_of(Anova(slopes, type = 2)), drop1 = drop(slopes)))
)
about <- sprintf(
  "Written by make_means_and_terms.R, lme4 %s, emmeans %s, car %s, %s.", packageVersion("lme4"),
  packageVersion("emmeans"), packageVersion("car"), R.version.string
)
writeLines(
  toJSON(list(`_about` = about, means = means, terms = terms), digits = NA, auto_unbox = TRUE, dataframe = "columns", pretty = 1),
  "means_and_terms.json"
)

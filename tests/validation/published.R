# Estimates of R for the analyses of published.py, as JSON: Rscript published.R jobs.csv
# A table of data file, formula, family, method and key; the file's text columns are factors.
suppressPackageStartupMessages({library(lme4); library(glmmTMB); library(ordinal); library(jsonlite)})
jobs <- read.csv(commandArgs(TRUE)[1], stringsAsFactors = FALSE)
tight <- glmerControl(optimizer = "bobyqa", optCtrl = list(maxfun = 1e5, rhoend = 1e-9))
spread <- function(variances) unname(unlist(lapply(variances, function(part) attr(part, "stddev"))))
described <- function(package, method, fit, fixed, se, sd, llf) list(
  package = paste(package, packageVersion(package)), method = method, llf = llf, names = names(fixed),
  estimate = unname(fixed), se = unname(se), sd = sd)
fits <- list(
  ML = function(f, data, family) lmer(f, data, REML = FALSE, control = lmerControl(optCtrl = list(maxfun = 1e5))),
  Laplace = function(f, data, family) glmer(f, data, family, control = tight),
  quadrature = function(f, data, family) glmer(f, data, family, nAGQ = 25, control = tight)
)
out <- list()
for (k in seq_len(nrow(jobs))) {
  data <- read.csv(jobs$path[k], stringsAsFactors = TRUE)
  f <- as.formula(jobs$formula[k])
  family <- jobs$family[k]
  method <- jobs$method[k]
  if (family == "cumulative") {
    data$rating <- factor(data$rating, ordered = TRUE)
    fit <- clmm(f, data = data, nAGQ = 25)
    named <- coef(fit)[names(fit$beta)]
    one <- described("ordinal", "quadrature", fit, named, sqrt(diag(vcov(fit)))[names(named)], spread(VarCorr(fit)), as.numeric(logLik(fit)))
  } else if (method == "glmmTMB") {
    zi <- if (nchar(jobs$zi[k])) as.formula(jobs$zi[k]) else ~0
    fit <- glmmTMB(f, data, family = if (family == "nbinom2") nbinom2() else poisson(), ziformula = zi)
    one <- described("glmmTMB", "Laplace", fit, fixef(fit)$cond, sqrt(diag(vcov(fit)$cond)), spread(VarCorr(fit)$cond), as.numeric(logLik(fit)))
  } else {
    fit <- suppressMessages(fits[[method]](f, data, family))
    one <- described("lme4", method, fit, fixef(fit), sqrt(diag(as.matrix(vcov(fit)))), spread(VarCorr(fit)), as.numeric(logLik(fit)))
  }
  out[[jobs$key[k]]] <- one
}
cat(toJSON(out, digits = 10, auto_unbox = TRUE, pretty = TRUE))

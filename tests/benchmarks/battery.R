# Laplace fits of all models of the battery, one line each: key, package, seconds, CPU seconds, log-likelihood.
# Links that are not canonical go to glmmTMB, whose Laplace approximation has the observed information.
# Rscript battery.R jobs.csv, a table of data file, formula, family and key.
suppressPackageStartupMessages({library(lme4); library(glmmTMB)})
jobs <- read.csv(commandArgs(TRUE)[1], stringsAsFactors = FALSE)
links <- list(binomial = binomial(), `binomial(probit)` = binomial("probit"), `binomial(cloglog)` = binomial("cloglog"),
  poisson = poisson(), `poisson(sqrt)` = poisson("sqrt"), nbinom2 = nbinom2(), `Gamma(log)` = Gamma("log"),
  `inverse.gaussian(log)` = inverse.gaussian("log"))
fitted <- function(formula, family, data) {
  if (family == "gaussian") return(lmer(formula, data, REML = FALSE))
  if (family %in% c("binomial", "poisson")) return(glmer(formula, data, links[[family]]))
  glmmTMB(formula, data, family = links[[family]])
}
for (k in seq_len(nrow(jobs))) {
  data <- read.csv(jobs$path[k], stringsAsFactors = TRUE)
  formula <- as.formula(jobs$formula[k])
  setTimeLimit(elapsed = 150, transient = TRUE)
  time <- system.time(fit <- try(suppressMessages(suppressWarnings(fitted(formula, jobs$family[k], data))), TRUE))
  setTimeLimit()
  if (inherits(fit, "try-error")) next
  used <- if (inherits(fit, "glmmTMB")) "glmmTMB" else "lme4"
  cpu <- time[["user.self"]] + time[["sys.self"]]
  llf <- format(as.numeric(logLik(fit)), digits = 12)
  cat(jobs$key[k], used, time[["elapsed"]], cpu, llf, sep = "\t")
  cat("\n")
}

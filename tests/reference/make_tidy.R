# Writes tidy.json: tables of broom.mixed of glmmTMB's fits (Laplace), with their parameters on glmmTMB's own scales.
#
# Run in this folder as `Rscript make_tidy.R`. broom.mixed 0.2.9 has no intervals of fits with correlations: those of
# epil_slopes are glmmTMB's, of log standard deviations and of the correlation rho = t / sqrt(1 + t^2), are left out.

suppressPackageStartupMessages({
  library(broom.mixed)
  library(glmmTMB)
})
tables <- "../../statsmodels_mcla/datasets"
read <- function(name) read.csv(file.path(tables, name, paste0(name, ".csv")), stringsAsFactors = TRUE)

cbpp <- read("cbpp")
cbpp$period <- factor(cbpp$period)
epil <- read("epil")
epil$trt <- relevel(epil$trt, "placebo")
epil$visit <- (2 * epil$period - 5) / 10

fits <- list(
  cbpp = glmmTMB(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial),
  epil = glmmTMB(y ~ lbase * trt + lage + V4 + (1 | subject), epil, poisson),
  epil_slopes = glmmTMB(y ~ lbase * trt + lage + visit + (1 + visit | subject), epil, poisson)
)
number <- function(x) {
  x <- ifelse(is.na(x), "null", sprintf("%.10g", x))
  paste0("[", paste(x, collapse = ", "), "]")
}
table <- function(fit, ...) {
  found <- as.data.frame(tidy(fit, ...))
  wanted <- intersect(c("estimate", "std.error", "statistic", "p.value", "conf.low", "conf.high"), names(found))
  columns <- sprintf('"%s": %s', sub("[.]", "_", wanted), sapply(wanted, function(name) number(found[[name]])))
  terms <- paste0('"', found$term, '"', collapse = ", ")
  paste0('{"term": [', terms, "], ", paste(columns, collapse = ", "), "}")
}
entries <- sapply(names(fits), function(name) {
  fit <- fits[[name]]
  correlated <- name == "epil_slopes"
  glanced <- glance(fit)
  sprintf(
    ' "%s": {\n  "all": %s,\n  "ratios": %s,\n  "glance": {%s}\n }', name,
    table(fit, conf.int = !correlated),
    table(fit, effects = "fixed", conf.int = TRUE, exponentiate = TRUE),
    paste(sprintf(
      '"%s": %.10g', c("nobs", "llf", "aic", "bic", "df_resid"),
      unlist(glanced[c("nobs", "logLik", "AIC", "BIC", "df.residual")])
    ), collapse = ", ")
  )
})
about <- sprintf(
  ' "_about": "Written by make_tidy.R, broom.mixed %s, glmmTMB %s, %s.",', packageVersion("broom.mixed"),
  packageVersion("glmmTMB"), R.version.string
)
writeLines(c("{", about, paste(entries, collapse = ",\n"), "}"), "tidy.json")

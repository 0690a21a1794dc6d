# Writes nested_families.json: likelihood-ratio statistics of glmmTMB (Laplace) between families of which one is the other
# with a parameter at the end of its range, on salamanders.csv and on lme4's cbpp.
#
# Run in this folder as `Rscript make_nested_families.R`.

suppressPackageStartupMessages(library(glmmTMB))
data(Salamanders)
control <- glmmTMBControl(optCtrl = list(rel.tol = 1e-14, iter.max = 3000, eval.max = 3000))
llf <- function(formula, data, ...) {
  fit <- suppressWarnings(glmmTMB(formula, data, ..., control = control)) # of "singular convergence"
  stopifnot(max(abs(fit$obj$gr(fit$fit$par))) < 1e-2)
  as.numeric(logLik(fit))
}
count <- function(...) llf(count ~ mined + (1 | site), Salamanders, ...)
positive <- function(...) llf(count ~ mined + (1 | site), subset(Salamanders, count > 0), ...)
herds <- function(...) llf(cbind(incidence, size - incidence) ~ period + (1 | herd), lme4::cbpp, ...)

poisson_llf <- count(family = poisson)
nb <- count(family = nbinom2)
zip <- count(family = poisson, ziformula = ~1)
zinb <- count(family = nbinom2, ziformula = ~1)
out <- list(
  poisson_nb2 = 2 * (nb - poisson_llf),
  poisson_nb1 = 2 * (count(family = nbinom1) - poisson_llf),
  poisson_genpois = 2 * (count(family = genpois) - poisson_llf),
  poisson_zip = 2 * (zip - poisson_llf),
  nb2_zinb = 2 * (zinb - nb),
  zip_zinb = 2 * (zinb - zip),
  truncated = 2 * (positive(family = truncated_nbinom2) - positive(family = truncated_poisson)),
  binomial = 2 * (herds(family = betabinomial) - herds(family = binomial))
)
jsonlite::write_json(out, "nested_families.json", digits = 12, auto_unbox = TRUE, pretty = TRUE)

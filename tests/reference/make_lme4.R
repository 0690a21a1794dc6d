# Writes lme4.json: Laplace fits (nAGQ = 1) of lme4's glmer, converged as far as it goes.
#
# Run in this folder as `Rscript make_lme4.R`. Only canonical links: elsewhere glmer takes the expected and not
# the observed curvature, which makes another approximation. `vc` are variances and covariances in the order of
# the lower triangle of each term, `se` the standard errors of the fixed effects from the numerical Hessian.

suppressPackageStartupMessages(library(lme4))
tables <- "../../statsmodels_mcla/datasets"
read <- function(name) read.csv(file.path(tables, name, paste0(name, ".csv")), stringsAsFactors = TRUE)

salamander <- read("salamander")
bacteria <- read("bacteria")
bacteria$success <- as.integer(bacteria$y == "y")
bacteria$late <- as.integer(bacteria$week > 2)
bacteria$trt <- relevel(bacteria$trt, "placebo")
cbpp <- read("cbpp")
cbpp$period <- factor(cbpp$period)
epil <- read("epil")
epil$trt <- relevel(epil$trt, "placebo")
epil$visit <- (2 * epil$period - 5) / 10
toenail <- read("toenail")
toenail$success <- as.integer(toenail$outcome != "none or mild")

calls <- list(
  salamander = list(Mate ~ 0 + Cross + (1 | Female) + (1 | Male), salamander, binomial),
  salamander_null = list(Mate ~ 1 + (1 | Female) + (1 | Male), salamander, binomial),
  bacteria = list(success ~ trt + late + (1 | ID), bacteria, binomial),
  cbpp = list(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial),
  epil = list(y ~ lbase * trt + lage + V4 + (1 | subject), epil, poisson),
  epil_slopes = list(y ~ lbase * trt + lage + visit + (1 + visit | subject), epil, poisson),
  toenail = list(success ~ treatment * time + (1 | patientID), toenail, binomial)
)

control <- glmerControl(
  optimizer = "bobyqa", optCtrl = list(rhobeg = 2e-2, rhoend = 1e-9, maxfun = 1e5), tolPwrss = 1e-12,
  calc.derivs = TRUE
)
number <- function(x) paste0("[", paste(sprintf("%.12g", x), collapse = ", "), "]")
text <- function(x) paste0("[", paste0('"', x, '"', collapse = ", "), "]")

entries <- sapply(names(calls), function(name) {
  call <- calls[[name]]
  # the optimum of lme4's own search is taken up again until it stays where it is
  fit <- glmer(call[[1]], call[[2]], call[[3]], control = control)
  for (again in 1:3) fit <- update(fit, start = getME(fit, c("theta", "fixef")))
  groups <- lapply(VarCorr(fit), function(G) t(G)[upper.tri(G, diag = TRUE)])
  groups <- unlist(groups[unique(sub("^.*\\| ", "", sapply(findbars(call[[1]]), deparse1)))])
  sprintf(
    ' "%s": {\n  "names": %s,\n  "beta": %s,\n  "vc": %s,\n  "llf": %.12g,\n  "se": %s\n }',
    name, text(names(fixef(fit))), number(fixef(fit)), number(groups), as.numeric(logLik(fit)),
    number(sqrt(diag(as.matrix(vcov(fit, use.hessian = TRUE)))))
  )
})
about <- sprintf(
  ' "_about": "Written by make_lme4.R, lme4 %s, %s.",', packageVersion("lme4"), R.version.string
)
writeLines(c("{", about, paste(entries, collapse = ",\n"), "}"), "lme4.json")

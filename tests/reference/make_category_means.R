# Writes category_means.json: what emmeans says of probabilities of categories.
#
# Run in this folder as `Rscript make_category_means.R`. Tests put estimates and covariance in the place of the package's
# own, in its order of parameters: of multinom (nnet), category by category; of clm (ordinal), effects of the location,
# then of each threshold. Degrees of freedom are infinite throughout, so that intervals are normal ones.

suppressPackageStartupMessages({
  library(emmeans)
  library(nnet)
  library(ordinal)
})
emm_options(msg.interaction = FALSE, msg.nesting = FALSE)
wine <- read.csv("wine.csv", stringsAsFactors = TRUE)
wine$rating <- factor(wine$rating, ordered = TRUE)
wine$grade <- cut(as.integer(wine$rating), c(0, 2, 3, 5), labels = c("a", "b", "c")) # without an order
wine$score <- as.numeric(wine$judge) / 4

plain <- function(x) {
  out <- as.data.frame(summary(x, infer = TRUE, df = Inf))
  for (name in names(out)) if (is.factor(out[[name]])) out[[name]] <- as.character(out[[name]])
  out$df <- NULL
  out
}
facts <- function(fit, resp, order, cov) {
  free <- function(object) {
    object@dffun <- function(k, dfargs) Inf
    object
  }
  grid <- function(specs, ...) free(emmeans(fit, specs, mode = "prob", ...))
  spec <- function(factors) as.formula(paste("~", factors, "|", resp))
  list(
    params = unname(order), cov = unname(cov),
    means = list(
      temp = plain(grid(spec("temp"))),
      proportional = plain(grid(spec("temp"), weights = "proportional")),
      both = plain(grid(spec("temp * contact"), at = list(score = 1))),
      pairs = plain(contrast(grid(spec("temp * contact")), "pairwise", adjust = "tukey"))
    )
  )
}
f <- multinom(grade ~ temp + contact + score, wine, trace = FALSE, reltol = 1e-14, abstol = 1e-14, maxit = 1000)
out <- list(multinom = facts(f, "grade", as.vector(t(coef(f))), as.matrix(vcov(f))))
f <- clm(rating ~ temp + score, nominal = ~contact, data = wine, control = clm.control(gradTol = 1e-12))
# alpha: thresholds at the reference, then effects of contact on them
places <- c(9, 10, as.vector(rbind(1:4, 5:8)))
out$clm <- facts(f, "rating", coef(f)[places], vcov(f)[places, places])
f <- clmm(rating ~ temp + contact + (1 | judge), wine, nAGQ = 10)
places <- c(5, 6, 7, 1:4)
V <- vcov(f) # of the logarithm of the standard deviation
slope <- diag(7)
variance <- VarCorr(f)$judge[1]
slope[3, 3] <- 2 * variance
out$clmm <- facts(
  f, "rating", c(coef(f)[5:6], variance, coef(f)[1:4]), slope %*% V[places, places] %*% slope
)
out$`_about` <- sprintf(
  "Written by make_category_means.R, emmeans %s, nnet %s, ordinal %s, %s.", packageVersion("emmeans"),
  packageVersion("nnet"), packageVersion("ordinal"), R.version.string
)
jsonlite::write_json(out, "category_means.json", digits = 14, auto_unbox = TRUE, dataframe = "columns", pretty = 1)

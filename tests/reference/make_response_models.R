# Writes response_models.json: Laplace fits of glmmTMB and ordinal, and the data that they are of.
#
# Run in this folder as `Rscript make_response_models.R`. `params` are fixed effects (of the mean, the zero part and the
# dispersion), variances of the random effects, and parameters of the family as this package has them: alpha is one over
# glmmTMB's size or precision of negative binomial and beta-binomial families, so that a dispersion formula has its
# signs turned; generalised Poisson variances are mu (1 + alpha)^2; scales are variances. clmm has cloglog and loglog the
# wrong way round (clm has them right), so that its "loglog" is what is called cloglog here; `llf_quadrature` is of 10 nodes.

suppressPackageStartupMessages({
  library(glmmTMB)
  library(ordinal)
})

data(Salamanders)
data(Owls)
salamanders <- Salamanders[c("site", "mined", "spp", "DOY", "count")]
owls <- Owls[c("Nest", "FoodTreatment", "SexParent", "SiblingNegotiation", "BroodSize")]
write.csv(salamanders, "salamanders.csv", row.names = FALSE)
write.csv(owls, "owls.csv", row.names = FALSE)
write.csv(wine[c("rating", "temp", "contact", "judge")], "wine.csv", row.names = FALSE)

# Simulated responses, one a family, of the same rows.
set.seed(1)
n <- 200
d <- data.frame(g = rep(sprintf("g%02d", 1:20), each = 10), x = round(runif(n, -1, 1), 3), trials = sample(1:9, n, TRUE))
u <- rnorm(20, 0, .6)[rep(1:20, each = 10)]
eta <- .8 - .4 * d$x + u
mu <- exp(eta)
p <- plogis(eta - .5)
d$betabinomial <- rbinom(n, d$trials, rbeta(n, p / .4, (1 - p) / .4))
d$beta <- pmin(pmax(round(rbeta(n, p * 5, (1 - p) * 5), 6), 1e-6), 1 - 1e-6)
d$counts <- rnbinom(n, size = mu / .7, mu = mu)
d$positive_counts <- pmax(qnbinom(runif(n, (1 + .5 * mu)^-2, 1), size = 2, mu = mu), 1)
d$t <- round(eta + .7 * rt(n, 4), 4)
events <- rpois(n, mu^.4 / (1.2 * .4))
d$tweedie <- round(ifelse(events > 0, rgamma(n, pmax(events, 1) * .4 / .6) * 1.2 * .6 * mu^.6, 0), 4)
d$gamma <- round(rgamma(n, 1 / .3, 1 / (.3 * mu)), 4)
d$gamma_zeros <- ifelse(runif(n) < plogis(-1 + .5 * d$x), 0, d$gamma)
d$normal <- round(rnorm(n, eta, exp(.5 * (-.5 + .6 * d$x))), 4)
latent <- eta - .5 + rlogis(n)
d$bounded <- ifelse(latent < -1.2, 0, ifelse(latent > 2, 1, d$beta))
write.csv(d, "responses.csv", row.names = FALSE)

out <- list()
keep <- function(name, fit, family = numeric(0), sign = 1) {
  variances <- unlist(lapply(VarCorr(fit), function(part) lapply(part, as.numeric)))
  fixed <- fixef(fit)
  disp <- if (length(fixed$disp) && fit$modelInfo$allForm$dispformula != ~1) sign * fixed$disp else numeric(0)
  stopifnot(fit$sdr$pdHess, max(abs(fit$obj$gr(fit$fit$par))) < 1e-2)
  out[[name]] <<- list(
    llf = as.numeric(logLik(fit)),
    params = unname(c(fixed$cond, fixed$zi, disp, variances, family)),
    se = unname(c(sqrt(diag(vcov(fit)$cond)), if (length(fixed$zi)) sqrt(diag(vcov(fit)$zi))))
  )
}
shape <- function(fit) unname(fit$fit$par[names(fit$fit$par) %in% c("thetaf", "psi")])  # t: log df; Tweedie: logit(p - 1)
control <- glmmTMBControl(optCtrl = list(rel.tol = 1e-14, iter.max = 3000, eval.max = 3000))
fit <- function(...) suppressWarnings(glmmTMB(..., control = control)) # of "singular convergence": the gradient is looked at

S <- salamanders
keep("zip", fit(count ~ mined + (1 | site), S, family = poisson, ziformula = ~mined))
f <- fit(count ~ spp + mined + (1 | site), S, family = nbinom2, ziformula = ~mined)
keep("zinb", f, 1 / sigma(f))
keep("hurdle_poisson", fit(count ~ spp * mined + (1 | site), S, family = truncated_poisson, ziformula = ~ spp * mined))
f <- fit(count ~ mined + (1 | site), S, family = truncated_nbinom2, ziformula = ~ mined + (1 | site))
keep("hurdle_nb", f, 1 / sigma(f))
keep("nb_dispersed", fit(count ~ spp + mined + (1 | site), S, family = nbinom2, dispformula = ~DOY), sign = -1)
keep("zip_random", fit(count ~ mined + (1 | site), S, family = poisson, ziformula = ~ 1 + (1 | site)))
f <- fit(SiblingNegotiation ~ FoodTreatment * SexParent + offset(log(BroodSize)) + (1 | Nest), owls,
  family = nbinom2, ziformula = ~1
)
keep("owls", f, 1 / sigma(f))

f <- fit(cbind(betabinomial, trials - betabinomial) ~ x + (1 | g), d, family = betabinomial())
keep("betabinomial", f, 1 / sigma(f))
f <- fit(beta ~ x + (1 | g), d, family = beta_family())
keep("beta", f, sigma(f))
f <- fit(bounded ~ x + (1 | g), d, family = ordbeta(), start = list(psi = c(-1, 1)))
keep("ordered_beta", f, c(sigma(f), shape(f)))
f <- fit(counts ~ x + (1 | g), d, family = nbinom1())
keep("nb1", f, sigma(f))
f <- fit(counts ~ x + (1 | g), d, family = genpois())
keep("genpoisson", f, sqrt(sigma(f)) - 1)
keep("truncated_poisson", fit(positive_counts ~ x + (1 | g), d, family = truncated_poisson()))
f <- fit(positive_counts ~ x + (1 | g), d, family = truncated_nbinom2())
keep("truncated_nb", f, 1 / sigma(f))
f <- fit(t ~ x + (1 | g), d, family = t_family())
keep("t", f, c(sigma(f)^2, exp(shape(f))))
f <- fit(tweedie ~ x + (1 | g), d, family = tweedie())
keep("tweedie", f, c(sigma(f), 1 + plogis(shape(f))))
f <- fit(gamma_zeros ~ x + (1 | g), d, family = ziGamma(link = "log"), ziformula = ~x)
keep("hurdle_gamma", f, sigma(f)^2)
keep("normal_dispersed", fit(normal ~ x + (1 | g), d, dispformula = ~x))

for (link in c("logit", "probit", "cloglog")) {
  theirs <- if (link == "cloglog") "loglog" else link
  f <- clmm(rating ~ temp + contact + (1 | judge), wine, link = theirs)
  exact <- clmm(rating ~ temp + contact + (1 | judge), wine, link = theirs, nAGQ = 10)
  order <- c(5, 6, 1:4)
  out[[paste0("wine_", link)]] <- list(
    llf = as.numeric(logLik(f)), llf_quadrature = as.numeric(logLik(exact)),
    params = unname(c(coef(f)[5:6], VarCorr(f)$judge[1], coef(f)[1:4])),
    se = unname(sqrt(diag(vcov(f))))[order]
  )
}
for (threshold in c("symmetric", "equidistant")) {
  f <- clmm(rating ~ temp + contact + (1 | judge), wine, threshold = threshold)
  k <- length(f$alpha)
  out[[paste0("wine_", threshold)]] <- list(
    llf = as.numeric(logLik(f)), params = unname(c(coef(f)[k + 1:2], VarCorr(f)$judge[1], coef(f)[1:k]))
  )
}
jsonlite::write_json(out, "response_models.json", digits = 12, auto_unbox = TRUE, pretty = TRUE)

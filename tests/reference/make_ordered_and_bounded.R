# Writes ordered_and_bounded.json: fits of ordinal and glmmTMB, and gasoline.csv, which one of them is of.
#
# Run in this folder as `Rscript make_ordered_and_bounded.R`. Of clm, whose thresholds depend on contact: thresholds,
# effects of contact on them, effect of temp; standard errors in the same order. clmm is by adaptive Gauss-Hermite
# quadrature of 10 nodes: effects of temp and contact, variance, thresholds. glmmTMB is Laplace's approximation: intercept,
# effect of temperature (in 100 degrees F from 300), variance, precision.

suppressPackageStartupMessages({
  library(glmmTMB)
  library(ordinal)
})

petrol <- MASS::petrol
gasoline <- data.frame(
  batch = petrol$No, gravity = petrol$SG, pressure = petrol$VP, temp10 = petrol$V10, temp = petrol$EP, yield = petrol$Y / 100
)
write.csv(gasoline, "gasoline.csv", row.names = FALSE)
wine <- read.csv("wine.csv")
wine$rating <- factor(wine$rating, ordered = TRUE)
wine$temp <- factor(wine$temp)
wine$contact <- factor(wine$contact)

out <- list()
for (link in c("logit", "probit", "cloglog")) {
  f <- clm(rating ~ temp, nominal = ~contact, data = wine, link = link)
  out[[paste0("clm_", link)]] <- list(
    llf = as.numeric(logLik(f)), params = unname(coef(f)), se = unname(sqrt(diag(vcov(f))))
  )
}
f <- clmm(rating ~ temp + contact + (1 | judge), wine, nAGQ = 10)
out$clmm <- list(
  llf = as.numeric(logLik(f)), params = unname(c(coef(f)[5:6], VarCorr(f)$judge[1], coef(f)[1:4])),
  se = unname(sqrt(diag(vcov(f)))[c(5, 6, 1:4)])
)
gasoline$t <- (gasoline$temp - 300) / 100
f <- glmmTMB(yield ~ t + (1 | batch), gasoline, family = beta_family())
out$gasoline <- list(
  llf = as.numeric(logLik(f)), params = unname(c(fixef(f)$cond, VarCorr(f)$cond$batch[1], sigma(f))),
  se = unname(sqrt(diag(vcov(f)$cond)))
)
jsonlite::write_json(out, "ordered_and_bounded.json", digits = 12, auto_unbox = TRUE, pretty = TRUE)

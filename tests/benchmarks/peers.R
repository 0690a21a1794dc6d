# Fits and times lme4's glmer, for peers.py: Rscript peers.R MANIFEST.csv REPEATS
#
# A row of the manifest is one fit: dataset, csv, formula, family, nagq, and a factor with its reference level.
# Prints one JSON object a fit. The clock runs inside R, after the package is loaded and one fit is made;
# seconds are the median of the repeats.

suppressPackageStartupMessages(library(lme4))
arguments <- commandArgs(trailingOnly = TRUE)
manifest <- read.csv(arguments[1], colClasses = "character")
repeats <- as.integer(arguments[2])

text <- function(x) encodeString(paste(x, collapse = " "), quote = '"')
number <- function(x) ifelse(is.finite(x), sprintf("%.17g", x), "null")
object <- function(x) paste0("{", paste0(sapply(names(x), text), ": ", number(x), collapse = ", "), "}")

for (i in seq_len(nrow(manifest))) {
  row <- manifest[i, ]
  data <- read.csv(row$csv)
  data[[row$factor]] <- relevel(factor(data[[row$factor]]), row$reference)
  fit <- function() {
    glmer(as.formula(row$formula), data, family = row$family, nAGQ = as.integer(row$nagq))
  }
  notes <- character()
  model <- withCallingHandlers(fit(), warning = function(w) {
    notes <<- c(notes, conditionMessage(w))
    invokeRestart("muffleWarning")
  })
  seconds <- median(replicate(repeats, suppressWarnings(system.time(fit())[["elapsed"]])))
  groups <- as.data.frame(VarCorr(model))
  cat(sprintf(
    '{"dataset": %s, "nagq": %s, "seconds": %s, "fixed": %s, "variances": %s, "llf": %s, "note": %s}\n',
    text(row$dataset), row$nagq, number(seconds), object(fixef(model)),
    object(setNames(groups$vcov, groups$grp)), number(as.numeric(logLik(model))), text(notes)
  ))
}

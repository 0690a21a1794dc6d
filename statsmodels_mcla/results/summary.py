"""The printed table of a fit, made of statsmodels' own table classes."""

from __future__ import annotations

from textwrap import shorten
from typing import TYPE_CHECKING

import numpy as np
from statsmodels.iolib.summary import Summary
from statsmodels.iolib.table import SimpleTable
from statsmodels.iolib.tableformatting import fmt_params

from statsmodels_mcla.inference import var_corr
from statsmodels_mcla.numerics import consecutive_slices, standard_deviations

if TYPE_CHECKING:
    from statsmodels_mcla.results.mixed_glm_results import MixedGLMResults

PREDICTORS = {
    "": "Fixed effects",
    "zi": "Fixed effects of the zero part, logit P(zero)",
    "disp": "Fixed effects of the dispersion, log",
}
ModelFacts = list[tuple[str, str]]


def _number(value: float) -> str:
    """Four significant digits, without an exponent where that is readable."""
    if not np.isfinite(value):
        return ""
    if abs(value) < 1e-12:  # round-off
        value = 0.0
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.3e}"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:.2f}"


def _p(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else ""


def _facts(results: MixedGLMResults) -> tuple[ModelFacts, ModelFacts]:
    left = [
        ("Dep. Variable:", str(results.model.endog_names)),
        ("Model:", "GLMM"),
        ("Method:", results.method),
    ]
    left += [("Family:", results.facts.family), ("Link:", results.facts.link)]
    left += [("No. Observations:", f"{results.facts.n_rows}"), ("No. Blocks:", f"{results.facts.n_blocks}")]
    if results.facts.n_dropped:
        left.append(("Rows left out:", f"{results.facts.n_dropped} (missing values)"))
    right = [("Log-Likelihood:", _number(results.llf))]
    monte_carlo = results.monte_carlo
    if monte_carlo is not None:
        right.append(("  its MCSE:", _number(monte_carlo.llf_mcse)))
    right += [("AIC:", _number(results.aic)), ("BIC:", _number(results.bic))]
    if monte_carlo is not None:
        few, many = int(monte_carlo.draws.min()), int(monte_carlo.draws.max())
        worst = int(np.argmin(monte_carlo.ess / monte_carlo.draws))
        right.append(("Draws per block:", f"{few}" if few == many else f"{few} to {many}"))
        right.append(("Smallest ESS:", f"{monte_carlo.ess[worst]:.0f} of {monte_carlo.draws[worst]}"))
        if len(monte_carlo.draws) > 1:
            right.append(("  in block:", shorten(monte_carlo.block_labels[worst], 24, placeholder=" ...")))
        known = np.isfinite(monte_carlo.k_hat)  # weights that are all equal have no tail
        right.append(
            ("Largest k-hat:", f"{np.max(monte_carlo.k_hat[known]):.2f}" if known.any() else "equal weights")
        )
    right.append(("Covariance Type:", results.cov_type))
    right.append(("Converged:", "yes" if results.converged else "NO"))
    return left, right


def _parameter_table(
    results: MixedGLMResults, which: slice, header: tuple[str, str, str], alpha: float, mcse: bool | str
) -> SimpleTable:
    title, estimate, p_name = header
    columns = [
        results.params,
        results.bse,
        results.tvalues,
        results.pvalues,
        *np.asarray(results.conf_int(alpha)).T,
    ]
    names = [estimate, "std err", "z", p_name, *_limits(alpha)]
    shown = [_number, _number, _p, _p, _number, _number]
    if mcse and results.estimates.cov_mcse is not None:
        columns.append(standard_deviations(results.estimates.cov_mcse))
        names.append("MCSE")
        shown.append(_number)
    index = range(*which.indices(len(results.params)))
    rows = [[show(np.asarray(column)[k]) for show, column in zip(shown, columns, strict=True)] for k in index]
    stubs = [results.estimates.names[k] for k in index]
    return SimpleTable(rows, names, stubs, title=title, txt_fmt=fmt_params)


def _error_table(results: MixedGLMResults, alpha: float) -> SimpleTable:
    """Monte Carlo errors of the numbers of the parameter tables, but for those of the estimates, which they hold."""
    columns = [
        results.bse_mcse,
        results.tvalues_mcse,
        results.pvalues_mcse,
        *np.asarray(results.conf_int_mcse(alpha)).T,
    ]
    rows = [[_error(value) for value in row] for row in zip(*map(np.asarray, columns), strict=True)]
    names = ["std err", "z", "P", *_limits(alpha)]
    stubs = list(results.estimates.names)
    return SimpleTable(rows, names, stubs, title="MCSE of the other numbers", txt_fmt=fmt_params)


def _error(value: float) -> str:
    """Two significant digits."""
    if not np.isfinite(value):
        return ""
    if value < 1e-12:  # round-off, and p-values that are zero
        return "0"
    return f"{value:.1e}" if value < 1e-4 else f"{value:.2g}"


def _limits(alpha: float) -> tuple[str, str]:
    return f"[{alpha / 2:.3g}", f"{1 - alpha / 2:.3g}]"


def _random_effects_table(results: MixedGLMResults, mcse: bool | str) -> SimpleTable:
    table = var_corr(results.facts.terms, results.estimates, of_errors=mcse == "all")
    if not mcse:
        table = table.drop(columns="mcse", errors="ignore")
    errors = {"mcse": "MCSE", "std err mcse": "std err MCSE"}
    header = [errors.get(name, name) for name in table.columns[1:]]
    rows = [
        [row["effect"], str(row["levels"]), *(_number(row[c]) for c in table.columns[3:])]
        for row in table.to_dict("records")
    ]
    stubs = [g if k == 0 or g != table["group"][k - 1] else "" for k, g in enumerate(table["group"])]
    title = "Random effects (standard deviations, correlations)"
    return SimpleTable(rows, header, stubs, title=title, txt_fmt=fmt_params)


def _parts(results: MixedGLMResults) -> list[tuple[slice, tuple[str, str, str]]]:
    """Tables of parameters; a dispersion stands with the variances, thresholds by themselves."""
    fixed, total = results.k_fe, len(results.estimates.params)
    family = fixed + sum(t.size for t in results.facts.terms)
    apart = not results.estimates.non_negative[family:].all()
    variances = ("Variances and covariances (P of variances one-tailed)", "estimate", "P")
    sizes = [count for _, count in results.facts.predictors]
    titles = [PREDICTORS[name] for name, _ in results.facts.predictors]
    parts = [
        *((own, (t, "coef", "P>|z|")) for own, t in zip(consecutive_slices(sizes), titles, strict=True)),
        (slice(fixed, family if apart else total), variances),
        (slice(family if apart else total, total), ("Parameters of the family", "estimate", "P>|z|")),
    ]
    return [(part, header) for part, header in parts if part.start < part.stop]


def summarise(results: MixedGLMResults, title: str | None, alpha: float, mcse: bool | str) -> Summary:
    """Build the summary of a fit; ``mcse`` as in `MixedGLMResults.summary`."""
    if mcse not in (True, False, "all"):
        raise ValueError(f"mcse must be True, False or 'all', got {mcse!r}")
    out = Summary()
    left, right = _facts(results)
    out.add_table_2cols(
        results,
        gleft=[(name, [value]) for name, value in left],
        gright=[(name, [value]) for name, value in right],
        title=title or "Generalized Linear Mixed Model Results",
    )
    out.tables.append(_random_effects_table(results, mcse))
    for part, header in _parts(results):
        out.tables.append(_parameter_table(results, part, header, alpha, mcse))
    if results.monte_carlo is not None and mcse == "all":
        out.tables.append(_error_table(results, alpha))
    notes = []
    if results.monte_carlo is not None and mcse:
        notes.append(
            "MCSE is the Monte Carlo standard error: how much an estimate would change with other random numbers."
        )
        if not results.monte_carlo.precise:
            notes.append("The Monte Carlo errors are larger than was asked for.")
    if results.singular:
        zero = [results.estimates.names[j] for j in np.flatnonzero(results.boundary)]
        if zero:
            notes.append(f"Singular fit: {', '.join(zero)} at the boundary, without standard error.")
        tied = [t for t in results.reduction.terms if t.singular and t.rank]
        notes += [
            f"Singular fit: the covariance matrix of {t.whole.name} has rank {t.rank} of {t.whole.dim}, its effects "
            "are perfectly correlated."
            for t in tied
        ]
    if not results.converged:
        notes.append("The fit did not converge; do not rely on these numbers.")
    if notes:
        out.add_extra_txt(notes)
    return out

"""The printed tables of a fit, made of statsmodels' own table classes."""

from __future__ import annotations

from textwrap import shorten, wrap
from typing import TYPE_CHECKING

import numpy as np
from statsmodels.iolib import summary2

from statsmodels_mcla.estimation import wald_pvalues
from statsmodels_mcla.inference import tidy_fixed, var_corr
from statsmodels_mcla.numerics import consecutive_slices, standard_deviations
from statsmodels_mcla.results.tables import (
    FrameSummary,
    MixedSummary,
    list_of,
    shown,
    shown_errors,
    table_of,
    three_decimals,
)

if TYPE_CHECKING:
    from statsmodels.iolib.table import SimpleTable

    from statsmodels_mcla.results.methods import TableMethods

Facts = list[tuple[str, str]]
PREDICTORS = {
    "": "Fixed effects",
    "zi": "Fixed effects of the zero part, logit P(zero)",
    "oi": "Fixed effects of the ones, logit P(one, if not zero)",
    "disp": "Fixed effects of the dispersion, log",
}
TITLE = "Generalized Linear Mixed Model Results"
FORMULA_WIDTH = 70


def groups_of(results: TableMethods) -> str:
    """Grouping factors with their numbers of levels."""
    sizes: dict[str, int] = {}
    for term in results.facts.terms:  # a slope has fewer levels where its covariate is zero
        sizes[term.name] = max(term.levels, sizes.get(term.name, 0))
    return ", ".join(f"{name} {count}" for name, count in sizes.items())


def model_facts(results: TableMethods) -> tuple[Facts, Facts]:
    """What a publication says of a fit, in two columns."""
    facts = results.facts
    left = [
        ("Dep. Variable:", shorten(str(results.model.endog_names), 40, placeholder=" ...")),
        ("Model:", "GLMM"),
        ("Method:", results.method),
        ("Family:", facts.family),
        ("Link:", facts.link),
        ("Covariance Type:", results.cov_type),
        ("Converged:", "yes" if results.converged else "NO"),
    ]
    if facts.n_dropped:
        left.append(("Rows left out:", f"{facts.n_dropped} (missing values)"))
    right = [
        ("No. Observations:", f"{facts.n_rows}"),
        ("No. Groups:", shorten(groups_of(results), 30, placeholder=" ...")),
        ("Df Residuals:", f"{results.df_resid:.0f}"),
        *((f"{name}:", f"{value:.3f}") for name, value in information(results).items()),
    ]
    return left, right


def information(results: TableMethods) -> dict[str, float]:
    """Log-likelihood and what is made of it."""
    return {
        "Log-Likelihood": results.llf,
        "Deviance": -2.0 * results.llf,
        "AIC": results.aic,
        "BIC": results.bic,
    }


def _draw_facts(results: TableMethods) -> tuple[Facts, Facts]:
    """How the draws fit."""
    monte_carlo = results.monte_carlo
    if monte_carlo is None:
        return [], []
    few, many = int(monte_carlo.draws.min()), int(monte_carlo.draws.max())
    worst = int(np.argmin(monte_carlo.ess / monte_carlo.draws))
    known = np.isfinite(monte_carlo.k_hat)  # weights that are all equal have no tail
    left = [
        ("No. Blocks:", f"{results.facts.n_blocks}"),
        ("Draws per block:", f"{few}" if few == many else f"{few} to {many}"),
        ("MCSE of Log-Likelihood:", f"{monte_carlo.llf_mcse:.4f}"),
    ]
    right = [
        ("Smallest ESS:", f"{monte_carlo.ess[worst]:.0f} of {monte_carlo.draws[worst]}"),
        ("  in block:", shorten(monte_carlo.block_labels[worst], 24, placeholder=" ...")),
        ("Largest k-hat:", f"{np.max(monte_carlo.k_hat[known]):.2f}" if known.any() else "equal weights"),
    ]
    return left, right


def _two_columns(left: Facts, right: Facts, title: str | None) -> SimpleTable:
    empty = ("", "")
    count = max(len(left), len(right))
    pairs = zip(left + [empty] * (count - len(left)), right + [empty] * (count - len(right)), strict=True)
    rows = [[value, f"  {other}", number] for (_, value), (other, number) in pairs]
    return list_of(rows, [name for name, _ in left] + [""] * (count - len(left)), title, "rlr")


def _limits(alpha: float) -> tuple[str, str]:
    return f"[{alpha / 2:.3g}", f"{1 - alpha / 2:.3g}]"


def _fixed_table(
    results: TableMethods, part: slice, title: str, alpha: float, exponentiate: bool, mcse: bool
) -> SimpleTable:
    table = tidy_fixed(results.estimates, alpha, exponentiate=exponentiate).iloc[part]
    se = table["std_error"]
    columns = [
        *(shown(table[name], se) for name in ("estimate", "std_error")),
        *(three_decimals(table[name]) for name in ("statistic", "p_value")),
        *(shown(table[name], se) for name in ("conf_low", "conf_high")),
    ]
    names = ["exp(coef)" if exponentiate else "coef", "std err", "z", "P>|z|", *_limits(alpha)]
    if mcse:
        columns.append(shown_errors(table["mcse"]))
        names.append("MCSE")
    return table_of(list(zip(*columns, strict=True)), names, list(table["term"]), title)


def _random_table(results: TableMethods, mcse: bool | str) -> SimpleTable:
    table = var_corr(results.facts.terms, results.estimates, of_errors=mcse == "all")
    columns = [[str(n) for n in table["levels"]]]
    columns += [shown(table[name], table["std err"]) for name in ("estimate", "std err")]
    header = ["levels", "estimate", "std err"]
    if mcse:
        named = {"mcse": "MCSE", "std err mcse": "std err MCSE"}
        found = [name for name in named if name in table]
        columns += [shown_errors(table[name]) for name in found]
        header += [named[name] for name in found]
    stubs = [f"{group}: {effect}" for group, effect in zip(table["group"], table["effect"], strict=True)]
    title = "Random effects: standard deviations and correlations"
    return table_of(list(zip(*columns, strict=True)), header, stubs, title)


def _parts(results: TableMethods) -> tuple[list[tuple[slice, str]], list[tuple[slice, str, bool]]]:
    """Rows and titles of the tables: fixed effects by predictor; variances with a dispersion, or thresholds apart.

    Thresholds and the like, which may be negative, are always tested.
    """
    non_negative = results.estimates.non_negative
    fixed, total = results.k_fe, len(non_negative)
    last = fixed + sum(t.size for t in results.facts.terms)
    apart = not non_negative[last:].all()
    slices = consecutive_slices([count for _, count in results.facts.predictors])
    titles = [PREDICTORS.get(name, f"Fixed effects of {name}") for name, _ in results.facts.predictors]
    kinds = ["Variances"]
    kinds += [] if non_negative[fixed:last].all() else ["covariances"]
    kinds += ["dispersion"] if not apart and last < total else []
    title = " and ".join(part for part in (", ".join(kinds[:-1]), kinds[-1]) if part)
    others = [(slice(fixed, last if apart else total), title, False)]
    others += [(slice(last, total), "Parameters of the family", True)] if apart else []
    named = [(own, t) for own, t in zip(slices, titles, strict=True) if own.start < own.stop]
    return named, others


def _variance_table(
    results: TableMethods, at: slice, title: str, alpha: float, tests: bool, mcse: bool
) -> SimpleTable:
    estimates = results.estimates
    se = estimates.se[at]
    columns = [shown(estimates.params[at], se), shown(se)]
    header = ["estimate", "std err"]
    if tests:
        z = np.asarray(results.tvalues)[at]
        columns += [three_decimals(z), three_decimals(wald_pvalues(z, estimates.non_negative[at]))]
        header += ["z", "P"]
    columns += [shown(limits, se) for limits in np.asarray(results.conf_int(alpha))[at].T]
    header += _limits(alpha)
    if mcse and estimates.cov_mcse is not None:
        columns.append(shown_errors(standard_deviations(estimates.cov_mcse)[at]))
        header.append("MCSE")
    title += " (P of variances one-tailed)" if tests and estimates.non_negative[at].any() else ""
    return table_of(list(zip(*columns, strict=True)), header, list(estimates.names[at]), title)


def _error_table(results: TableMethods, alpha: float) -> SimpleTable:
    """Monte Carlo errors of the numbers of the parameter tables, but for those of the estimates, which they hold."""
    columns = [
        results.bse_mcse,
        results.tvalues_mcse,
        results.pvalues_mcse,
        *np.asarray(results.conf_int_mcse(alpha)).T,
    ]
    rows = list(zip(*map(shown_errors, columns), strict=True))
    header = ["std err", "z", "P>|z|", *_limits(alpha)]
    return table_of(rows, header, list(results.estimates.names), "MCSE of the other numbers")


def precision_note(results: TableMethods) -> str:
    """One line about Monte Carlo errors; "" for fits without draws."""
    monte_carlo = results.monte_carlo
    if monte_carlo is None:
        return ""
    with np.errstate(invalid="ignore"):
        ratio = standard_deviations(monte_carlo.cov_mcse) / np.sqrt(
            np.diag(results.estimates.information.matrix)
        )
    seed = "" if monte_carlo.seed is None else f" (rng={monte_carlo.seed})"
    if not np.isfinite(ratio).any():
        return f"The Monte Carlo errors are not known{seed}."
    worst = float(np.nanmax(ratio))
    size = "zero" if worst < 1e-10 else f"at most {100 * worst:.2g} % of the standard errors"
    large = "" if monte_carlo.precise else ", larger than was asked for"
    return (
        f"Monte Carlo errors of the estimates are {size}{large}; that of the log-likelihood is "
        f"{monte_carlo.llf_mcse:.2g}{seed}."
    )


def notes_of(results: TableMethods) -> list[str]:
    """What has to be said of the numbers."""
    notes = [note for note in [precision_note(results)] if note]
    if results.singular:
        zero = [results.estimates.names[j] for j in np.flatnonzero(results.boundary)]
        if zero:
            notes.append(f"Singular fit: {', '.join(zero)} at the boundary, without standard error.")
        tied = [t for t in results.reduction.terms if t.correlated]
        notes += [
            f"Singular fit: the covariance matrix of {t.whole.name} has rank {t.rank} of {t.whole.dim}, its effects "
            "are perfectly correlated."
            for t in tied
        ]
    if results.constraints is not None:
        equations = "; ".join(str(results.constraints).splitlines())
        notes.append(f"Fitted under linear constraints: {equations}.")
    separated = results.estimates.separated
    if separated:
        notes.append(
            f"No finite maximum: {', '.join(separated)}. All other numbers are those of the limit, where the rows that "
            "these separate are certain."
        )
    elif not results.converged:
        notes.append("The fit did not converge; do not rely on these numbers.")
    return notes


def _parameter_tables(
    results: TableMethods, alpha: float, exponentiate: bool, variance_tests: bool, mcse: bool
) -> list[SimpleTable]:
    """Fixed effects by predictor, exponentiated if asked for; then the other parameters."""
    predictors, others = _parts(results)
    return [
        *(_fixed_table(results, part, name, alpha, exponentiate, mcse) for part, name in predictors),
        *(
            _variance_table(results, part, name, alpha, variance_tests or tested, mcse)
            for part, name, tested in others
        ),
    ]


def summarise(
    results: TableMethods,
    title: str | None,
    alpha: float,
    mcse: bool | str,
    exponentiate: bool,
    variance_tests: bool,
) -> MixedSummary:
    """Build the summary of a fit; arguments as in `TableMethods.summary`."""
    if mcse not in (True, False, "all"):
        raise ValueError(f"mcse must be True, False or 'all', got {mcse!r}")
    drawn = results.monte_carlo is not None
    if mcse == "all" and drawn and np.isnan(results.estimates.cov.matrix).all():
        mcse = True
    out = MixedSummary()
    title = title or TITLE
    left, right = model_facts(results)
    if mcse:
        more, beside = _draw_facts(results)
        left, right = left + more, right + beside
    formula = getattr(results.model, "full_formula", None)
    if formula is not None:
        lines = wrap(" ".join(formula.split()), FORMULA_WIDTH)
        stubs = ["Formula:"] + [""] * (len(lines) - 1)
        out.tables.append(list_of([[line] for line in lines], stubs, title, "l"))
    out.tables.append(_two_columns(left, right, None if formula is not None else title))
    out.tables.append(_random_table(results, mcse if drawn else False))
    out.tables += _parameter_tables(results, alpha, exponentiate, variance_tests, bool(mcse) and drawn)
    notes = notes_of(results)
    if mcse and drawn:
        notes.append(
            "MCSE is the Monte Carlo standard error: how much a number would change with other random numbers."
        )
    if mcse == "all" and drawn:
        out.tables.append(_error_table(results, alpha))
    low = results.estimates.non_negative & (np.asarray(results.conf_int(alpha))[:, 0] == 0.0)
    if low.any():
        notes.append(
            "Lower limits of variances and dispersions are cut off at 0; conf_int(method='profile') has better ones."
        )
    if notes:
        out.add_extra_txt(notes)
    return out


def summarise_experimentally(
    results: TableMethods, title: str | None, alpha: float, float_format: str
) -> FrameSummary:
    """Build statsmodels' other kind of summary, ``summary2``."""
    out = FrameSummary()
    left, right = model_facts(results)
    out.add_dict(dict([*left, *right]), ncols=2)
    params = summary2.summary_params(results, alpha=alpha, use_t=False)
    params.index = list(results.estimates.names)
    params.loc[~shown_with_tests(results), ["z", "P>|z|"]] = np.nan
    out.add_df(params, float_format=float_format)
    out.add_title(title or TITLE)
    for note in notes_of(results):
        out.add_text(note)
    return out


def shown_with_tests(results: TableMethods) -> np.ndarray:
    """Which parameters are tested in tables, (P,): not variances and what belongs to them."""
    fixed, others = _parts(results)
    out = np.zeros(len(results.estimates.names), bool)
    for at in [*(part for part, _ in fixed), *(at for at, _, own in others if own)]:
        out[at] = True
    return out

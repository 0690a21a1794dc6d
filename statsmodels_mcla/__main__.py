"""Fit the salamander data: summary, pairwise Wald tests, a likelihood-ratio test, and the time it took."""

from __future__ import annotations

import time

import statsmodels.api as sm

import statsmodels_mcla.formula.api as smf
from statsmodels_mcla import datasets


def main() -> None:
    """Run the demonstration."""
    data = datasets.salamander.load_pandas().data
    effects = {"F": "0 + C(Female)", "M": "0 + C(Male)"}
    clock = time.perf_counter()
    model = smf.mcla_mixedglm("Mate ~ 0 + Cross", effects, data, family=sm.families.Binomial())
    result = model.fit(rng=1)
    seconds = time.perf_counter() - clock
    print(result.summary())
    print("\nPairwise Wald tests of the crosses")
    pairs = result.t_test_pairwise("Cross", method="hs").result_frame
    print(pairs[["coef", "std err", "z", "P>|z|", "pvalue-hs"]].round(4).to_string())
    null = smf.mcla_mixedglm("Mate ~ 1", effects, data, family=sm.families.Binomial()).fit(rng=2)
    test = result.compare_lr_test(null)
    print(
        f"\nLikelihood-ratio test of 'Mate ~ 1': {test.statistic:.2f} (MCSE {test.mcse:.3f}), df {test.df}, "
        f"p = {test.pvalue:.2g}"
    )
    print(f"Time from formula to results: {seconds:.2f} s")


if __name__ == "__main__":
    main()

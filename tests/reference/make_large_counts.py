"""Write `large_counts.json`: log densities of large counts and their derivatives, in 80 digits (mpmath).

Run as ``python tests/reference/make_large_counts.py``.  Derivatives are central differences of the laws as textbooks
have them, at steps of 1e-12.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mpmath as mp

mp.mp.dps = 80
STEP = mp.mpf(10) ** -12
ORDERS = ((0, 0), (1, 0), (2, 0), (3, 0), (0, 1), (0, 2), (1, 1), (2, 1))  # in eta, alpha
lgamma = mp.loggamma


def nb1(y: Any, eta: Any, alpha: Any, _n: Any) -> Any:
    r = mp.e**eta / alpha
    return lgamma(y + r) - lgamma(r) - lgamma(y + 1) + y * mp.log(alpha) - (y + r) * mp.log(1 + alpha)


def genpois(y: Any, eta: Any, alpha: Any, _n: Any) -> Any:
    rate = mp.e**eta + alpha * y
    return eta + (y - 1) * mp.log(rate) - y * mp.log(1 + alpha) - rate / (1 + alpha) - lgamma(y + 1)


def truncated_poisson(y: Any, eta: Any, _alpha: Any, _n: Any) -> Any:
    mu = mp.e**eta
    return y * eta - mu - lgamma(y + 1) - mp.log(1 - mp.e**-mu)


def truncated_nb(y: Any, eta: Any, alpha: Any, _n: Any) -> Any:
    r, odds = 1 / alpha, alpha * mp.e**eta
    whole = lgamma(y + r) - lgamma(r) - lgamma(y + 1) + y * mp.log(odds) - (y + r) * mp.log(1 + odds)
    return whole - mp.log(1 - (1 + odds) ** -r)


def betabinomial(y: Any, eta: Any, alpha: Any, n: Any) -> Any:
    p = 1 / (1 + mp.e**-eta)
    a, b = p / alpha, (1 - p) / alpha
    ways = lgamma(n + 1) - lgamma(y + 1) - lgamma(n - y + 1)
    return (
        ways + lgamma(y + a) + lgamma(n - y + b) - lgamma(n + a + b) - lgamma(a) - lgamma(b) + lgamma(a + b)
    )


LAWS = {f.__name__: f for f in (nb1, genpois, truncated_poisson, truncated_nb, betabinomial)}


def alphas(name: str, height: float) -> tuple[float, ...]:
    """Without and with much more variance than a Poisson count or a binomial one has."""
    largest = {"nb1": 0.25 * height, "genpois": 0.5 * height**0.5, "truncated_poisson": 0.0}.get(name, 3.0)
    return (0.0,) if name == "truncated_poisson" else (1e-6, 0.5, largest)


def main() -> None:
    out = []
    for name, law in LAWS.items():
        for height in (1e3, 1e6, 1e9):
            for alpha in alphas(name, height):
                for part in (0.6, 1.3):
                    trials = round(2 * height) if name == "betabinomial" else 1
                    eta = 0.3 if name == "betabinomial" else float(mp.log(height))
                    y, at = round(part * height), (mp.mpf(eta), mp.mpf(alpha))
                    found = [
                        law(mp.mpf(y), *at, trials)
                        if order == (0, 0)
                        else mp.diff(lambda e, a: law(mp.mpf(y), e, a, trials), at, order, h=STEP)  # noqa: B023
                        for order in (ORDERS if alpha else ORDERS[:4])
                    ]
                    row = {"law": name, "y": y, "trials": trials, "eta": eta, "alpha": alpha}
                    out.append(row | {"derivatives": [float(x) for x in found]})
    text = "[\n" + ",\n".join(json.dumps(row) for row in out) + "\n]\n"
    (Path(__file__).parent / "large_counts.json").write_text(text)


if __name__ == "__main__":
    main()

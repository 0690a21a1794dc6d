"""What a fit says while it runs, if it is asked to."""

from __future__ import annotations

from dataclasses import dataclass

from statsmodels_mcla.data import MixedModel
from statsmodels_mcla.estimation import LaplaceMaximum
from statsmodels_mcla.estimation.search import Round
from statsmodels_mcla.execution import tell


@dataclass(frozen=True)
class Voice:
    """Lines of progress.

    Attributes
    ----------
    speaks : bool
        Whether anything is said.
    """

    speaks: bool

    def say(self, line: str) -> None:
        """Print a line."""
        if self.speaks:
            tell(line)

    def begin(self, model: MixedModel) -> None:
        """Say what is fitted."""
        design = model.design
        effects = sum(t.levels * t.whole.dim for t in design.loadings.terms)
        self.say(f"   0.00 s  {design.n_rows} rows, {effects} random effects in {design.n_blocks} blocks")

    def laplace(self, found: LaplaceMaximum, seconds: float) -> None:
        """Say where the draws will start."""
        self.say(f"{seconds:7.2f} s  Laplace approximation  llf {found.fit.evaluation.value:.4f}")

    def round(self, r: Round) -> None:
        """Tell of a round that has ended."""
        self.say(
            f"{r.seconds:7.2f} s  {r.stage:5s}  draws {r.draws:>7d}  llf {r.llf:.4f}  "
            f"MCSE/SE {100 * r.mcse_over_se:.2f} %  smallest ESS {r.min_ess:.0f}"
        )

    def plan(self, draws: int, seconds: float) -> None:
        """Tell of the next round."""
        self.say(f"           next: {draws} draws in all, about {seconds:.2g} s")

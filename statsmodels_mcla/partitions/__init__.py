"""Models of data in parts, which no single process has to hold.

Who has what:

- *Where the parts are* (a Dask worker, a process, a thread): the `MixedDesign` of each part, its modes, draws and block
  statistics, kept in memory (`execution.Workplace`).  Every kept value is a step of a history, a pure function of the
  part and of earlier values, so that it can be made again anywhere, from the loader on: after a death, or where memory
  is short.
- *The driver*: the formula and what it learnt, parameters, axes, numbers of rows, blocks and levels
  (`PartitionedDesign`), and all that a fit decides.  It sends functions with P numbers, and gets sums: of value, score
  and Hessian (P x P), of the Monte Carlo variances (replicates are added up where the blocks are), and a few numbers a
  level of draw allocation.

One fit, as of a design in this process: its functions go through `DesignFacts.keep` and `map`, which call them here or
where each part is, so that there is no second way to fit.  GLM, Laplace's approximation and the draws start as ever.

- *Formulas* are learnt in one pass: each part picks the rows that show its levels, which is all that patsy has to see;
  a stateful transform sees all rows, part by part.  What was learnt is sent.
- *Coordinates* (`RandomTerm.axes`, ``fixed_axes``) come from the QR factors of the parts' rows, stacked and factored
  again, which is as stable as a QR factorisation of all rows.
- *Draws*: the buckets of blocks are those of the whole (`Stacking`: numbers of blocks by shape are all that it takes),
  and the random numbers of a block go by its bucket and its place there.  They are those of one design of all rows, in
  the order of the parts.
- *Sums* are added in the order of the parts.  So the numbers are the same bits for any number of workers and any order
  of their answers; for other cuts of the same rows they are the same up to the order of summation.
- *Groups* are whole in one part; those that straddle are found by their labels.
- *Simulated responses* (`Simulated`) are made where the rows are, each part with a stream of its own.

The next of its kind: a table of another library is a loader in `parts_of`; another engine an `Executor`.
"""

from statsmodels_mcla.partitions.partitioned_design import PartitionedDesign, TermOfParts
from statsmodels_mcla.partitions.parts import parts_of
from statsmodels_mcla.partitions.reading import (
    PartitionedData,
    Simulated,
    itself,
    learn_formula,
    read_partitions,
    rows_of_part,
)
from statsmodels_mcla.partitions.straddling import brought_together

__all__ = [
    "PartitionedData",
    "PartitionedDesign",
    "Simulated",
    "TermOfParts",
    "brought_together",
    "itself",
    "learn_formula",
    "parts_of",
    "read_partitions",
    "rows_of_part",
]

"""What users of R write that means nothing here, or something else: each with what to write instead."""

from __future__ import annotations

import re

from statsmodels_mcla.formula.terms import FormulaError

DOT = r"(?<![\w.)])\.(?![\w.])"
# Text that does not parse, or parses into something else than was meant; strings are left out of the search.
SYNTAX = {
    r"\^": "'^' is not a power in Python (of integers it is bitwise XOR): write I(x**2) for a square, (a + b)**2 for "
    "all interactions, np.logical_xor(a, b) for an exclusive or",
    r"\bas\.(factor|ordered|character)\b": "write C(x)",
    r"\bas\.(numeric|integer|double)\b": "make it a column: data['x'] = pd.to_numeric(data['x'])",
    DOT: "'.' does not stand for all columns: name them, or join them with "
    "' + '.join(data.columns.drop(...))",
    r"%\w*%": "write a + a:b for b %in% a, or (1 | a/b) for random effects of b within a",
    r"`": "quote the name of a column with Q('...')",
}
# Names that R has and neither patsy nor a data frame does.
NAMES = {
    "cbind": "write successes + failures ~ ...",
    "factor": "write C(x)",
    "ordered": "write C(x, Poly)",
    "relevel": "write C(x, Treatment('reference'))",
    "poly": "write x + I(x**2), or C(x, Poly) for the levels of a factor",
    "ns": "write cr(x, df=4, constraints='center'), a natural cubic regression spline",
    "s": "there is no penalty here: write bs(x, df=5), a spline of so many columns",
    "offset": "pass offset= (a column, or one value a row) beside the formula, or exposure= for its logarithm",
    "weights": "pass freq_weights= or var_weights= beside the formula",
    "ifelse": "write np.where(condition, a, b)",
    "cut": "make it a column by pd.cut",
    "TRUE": "write True",
    "FALSE": "write False",
    **{
        name: f"write np.{name}(x)" for name in ("log", "log2", "log10", "log1p", "exp", "sqrt", "sin", "cos")
    },
}

# What patsy says, which does not say what to do.
SAID = {
    "cannot interact with anything else": "random effects are written with a bar, (1 | group), nested ones (1 | a/b)",
    "ror_": "random effects stand in round parentheses after a +, as in y ~ x + (1 | group)",
    "not callable": "what stands before a parenthesis is called: a + may be missing, as in y ~ x + (1 | group)",
    "numbers besides '0' and '1'": "arithmetic is written inside I(...), as in I(w / 100)",
    "expected a noun": "a term is missing at the mark",
    "expected an operator": "terms are joined by +: one is missing at the mark",
    "error tokenizing": "formulas are written with ~ + - * : / ** and, for random effects, |; names of columns with "
    "other signs are quoted, Q('...')",
    "Number of rows mismatch": "an array that is no column has one value for each row that is used, of new rows too: "
    "make it a column of the data",
    "mismatch between column_names": "a column named Intercept stands in the way of patsy's: rename it",
    "complex128": "numbers are real: take np.real or np.abs of them",
    "has no attribute": "a column whose name has a dot in it is quoted, Q('a.b')",
    "does not match any of the expected levels": "new rows may have only categories that the fit had: leave the others "
    "out, or fit with rows that have them",
}


def refuse_habits(formula: object, *, dots: bool = False) -> None:
    """Refuse what parses as something else than users of R mean by it, or does not parse at all.

    A change of a formula may have dots, for what is there already.
    """
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "''", formula) if isinstance(formula, str) else ""
    for pattern, instead in SYNTAX.items():
        found = re.search(pattern, bare)
        if found is not None and not (dots and pattern == DOT):
            raise FormulaError(f"formula {formula!r} cannot be read at {found.group()!r}: {instead}")


def way_out(name: str, otherwise: str = "") -> str:
    """What to write for a name of R's, as the end of a message."""
    return f": {NAMES[name]}" if name in NAMES else otherwise


def explained(error: Exception) -> str:
    """What patsy says, and what to do."""
    text = str(error)
    return text + "".join(f"\n{instead}" for said, instead in SAID.items() if said in text)


def called_name(text: str) -> str:
    """Name of R's that an expression calls, "" if there is none."""
    return next((name for name in NAMES if re.search(rf"(?<![\w.]){name}\(", text)), "")

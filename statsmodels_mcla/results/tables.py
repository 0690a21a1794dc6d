"""Printed tables: statsmodels' own, at one width, each with one format of numbers, and as Markdown too."""

from __future__ import annotations

import csv
import io
import re
from abc import abstractmethod
from collections.abc import Sequence
from copy import copy, deepcopy
from functools import partial
from html import escape
from typing import Any

import numpy as np
from statsmodels.iolib import summary2
from statsmodels.iolib.summary import Summary
from statsmodels.iolib.table import Cell, SimpleTable, default_latex_fmt
from statsmodels.iolib.tableformatting import fmt_2cols, fmt_params

LATEX = str.maketrans(
    {
        **default_latex_fmt["replacements"],
        "~": r"$\sim$",
        "^": r"\^{}",
        "<": "$<$",
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
    }
)
MARKDOWN = re.compile(r"[|<\\]")  # what would be a column, a tag or an escape
DECIMALS, LARGEST = 4, 1e6
LEAST_SE = 5e-4  # standard errors below show no digit in so many decimals


class SafeCell(Cell):
    """Cell whose text is safe in LaTeX; statsmodels replaces one sign after another, and leaves braces as they are."""

    def format(self, width: int, output_format: str = "txt", **options: Any) -> str:
        """See `statsmodels.iolib.table.Cell`."""
        if output_format != "latex":
            return str(super().format(width, output_format, **options))
        safe = copy(self)
        safe.data = str(self.data).translate(LATEX)
        return str(Cell.format(safe, width, output_format, **options))


def table_of(
    rows: Sequence[Sequence[str]], header: Sequence[str] | None, stubs: Sequence[str], title: str | None
) -> SimpleTable:
    """Table of numbers."""
    latex: dict[str, Any] = {"replacements": {}}
    return SimpleTable(rows, header, stubs, title=title, txt_fmt=fmt_params, ltx_fmt=latex, celltype=SafeCell)


def list_of(
    rows: Sequence[Sequence[str]], stubs: Sequence[str], title: str | None, aligns: str
) -> SimpleTable:
    """List of facts in columns, aligned as the letters l and r say."""
    fmt = {**fmt_2cols, "data_fmts": ["%s"] * len(aligns), "data_aligns": aligns, "colwidths": 1}
    latex = {"replacements": {}, "data_aligns": aligns}
    return SimpleTable(rows, None, stubs, title=title, txt_fmt=fmt, ltx_fmt=latex, celltype=SafeCell)


def shown(values: object, scale: object = None) -> list[str]:
    """Numbers of a column in one format: four decimals, or four digits where those would hide them.

    Parameters
    ----------
    values : array_like (k,)
    scale : array_like, optional
        What has to be seen of the table: its standard errors. By default the values themselves.
    """
    x = np.asarray(values, dtype=float)
    seen = np.abs(np.asarray(values if scale is None else scale, dtype=float))
    seen = seen[np.isfinite(seen) & (seen > 1e-12)]
    largest = np.max(np.abs(x[np.isfinite(x)]), initial=0.0)
    plain = np.min(seen, initial=1.0) >= LEAST_SE and largest < LARGEST
    form = f"{{:.{DECIMALS}f}}" if plain else f"{{:.{DECIMALS - 1}e}}"
    return [form.format(0.0 if abs(v) < 1e-12 else v) if np.isfinite(v) else "" for v in x]


def shown_errors(values: object) -> list[str]:
    """Monte Carlo errors: two digits, 0 for round-off."""
    x = np.asarray(values, dtype=float)
    return [("0" if v < 1e-12 else f"{v:.1e}") if np.isfinite(v) else "" for v in x]


def three_decimals(values: object) -> list[str]:
    """Statistics and p-values."""
    return [f"{v:.3f}" if np.isfinite(v) else "" for v in np.asarray(values, dtype=float)]


class WrittenTables:
    """Tables and notes in the formats of other programs."""

    @abstractmethod
    def _written(self) -> tuple[list[SimpleTable], list[str]]:
        """Tables and notes."""

    def as_csv(self) -> str:
        """Title, header and rows of each table, and the notes; what holds commas is quoted."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        tables, notes = self._written()
        for table in tables:
            writer.writerows([[table.title]] if table.title else [])
            writer.writerows(_cells(table))
        writer.writerows([[note] for note in notes])
        return out.getvalue()

    def as_html(self) -> str:
        """A table each, which word processors take as one, and the notes."""
        tables, notes = self._written()
        lines = "".join(f"<br/>\n{escape(note, quote=False)}" for note in notes)
        return "\n".join(map(_html, tables)) + lines

    def as_latex(self) -> str:
        """A tabular a table, for the package booktabs, and the notes."""
        tables, notes = self._written()
        lines = [note.translate(LATEX) for note in notes]
        return "\n\n".join([*(table.as_latex_tabular() for table in tables), *lines])

    def as_markdown(self) -> str:
        """Pipe tables, each under its title, and the notes.

        Examples
        --------
        >>> print(results.summary().as_markdown()[:30])
        **Generalized Linear Mixed Mod
        """
        tables, notes = self._written()
        parts = []
        for table in tables:
            rows = [[MARKDOWN.sub(r"\\\g<0>", text) for text in row] for row in _cells(table)]
            headed = table[0].datatype == "header"
            head = rows.pop(0) if headed else [""] * len(rows[0])
            align = ["---", *["---:"] * (len(head) - 1)]
            lines = [f"| {' | '.join(row)} |" for row in [head, align, *rows]]
            parts.append("\n".join(([f"**{table.title}**", ""] if table.title else []) + lines))
        return "\n\n".join([*parts, *notes])


class MixedSummary(WrittenTables, Summary):
    """Tables of a fit: ``as_text``, ``as_html``, ``as_latex``, ``as_csv`` and ``as_markdown``.

    Examples
    --------
    >>> print(results.summary().tables[-1])
                          Variances
    ======================================================
                 estimate    std err     [0.025     0.975]
    ------------------------------------------------------
    ID Var         1.4459     0.9592     0.0000     3.3259
    ======================================================
    """

    def _written(self) -> tuple[list[SimpleTable], list[str]]:
        """See `WrittenTables`."""
        return self.tables, (self.extra_txt or "").splitlines()

    def as_text(self) -> str:
        """Tables one above the other, all of one width.

        Examples
        --------
        >>> text = results.summary().as_text()
        >>> len(text.splitlines()) > 20
        True
        """
        widths = [_width(table.as_text()) for table in self.tables]
        texts = [
            _spread(table, max(widths) - width) for table, width in zip(self.tables, widths, strict=True)
        ]
        out = "\n".join([*(text.rsplit("\n", 1)[0] for text in texts[:-1]), texts[-1]])
        return out if self.extra_txt is None else f"{out}\n\n{self.extra_txt}"


class FrameSummary(WrittenTables, summary2.Summary):
    """Tables of one fit or of several, as data frames, in statsmodels' other form; what is not known stays empty.

    It has ``as_text``, ``as_html``, ``as_latex``, ``as_csv`` and ``as_markdown``.

    Examples
    --------
    >>> print(results.summary2().as_csv().splitlines()[-2])
    ID Var,1.4459,0.9592,,,0.0000,3.3259
    """

    def _written(self) -> tuple[list[SimpleTable], list[str]]:
        """See `WrittenTables`."""
        tables: list[SimpleTable] = []
        for frame, how in zip(self.tables, self.settings, strict=True):
            names = frame.index if how["index"] else frame.iloc[:, 0]
            inner = (frame if how["index"] else frame.iloc[:, 1:]).map(
                partial(_formatted, how["float_format"])
            )
            header = [str(name) for name in inner.columns] if how["header"] else None
            title = None if tables else self.title
            tables.append(table_of(inner.to_numpy(), header, [str(name) for name in names], title))
        return tables, list(self.extra_txt)

    def as_text(self) -> str:
        """See `statsmodels.iolib.summary2.Summary`.

        Examples
        --------
        >>> "nan" in results.summary2().as_text()
        False
        """
        shown = summary2.Summary()
        for frame, how in zip(self.tables, self.settings, strict=True):
            shown.add_df(frame.astype(object).where(frame.notna(), ""), **how)
        shown.title, shown.extra_txt = self.title, self.extra_txt
        return str(summary2.Summary.as_text(shown))

    def as_latex(self, label: str = "") -> str:
        r"""Floating table with the title as its caption, to which a label can refer.

        Examples
        --------
        >>> print(results.summary2().as_latex("fit")[:74])
        \begin{table}
        \caption{Generalized Linear Mixed Model Results}
        \label{fit}
        """
        caption = rf"\caption{{{self.title.translate(LATEX)}}}" if self.title else ""
        head = [r"\begin{table}", caption, rf"\label{{{label}}}" if label else ""]
        return "\n".join([*filter(None, head), super().as_latex(), r"\end{table}"])


def _formatted(form: str, value: object) -> str:
    return str(value) if not isinstance(value, float) else "" if np.isnan(value) else form % value


def _html(table: SimpleTable) -> str:
    """HTML in which names of rows such as a < b are no tags; SimpleTable escapes for LaTeX alone."""
    out = deepcopy(table)
    for cell in (cell for row in out for cell in row):
        cell.data = escape(str(cell.data), quote=False)
    return str(out.as_html())


def _cells(table: SimpleTable) -> list[list[str]]:
    return [[str(cell.data).strip() for cell in row] for row in table]


def _width(text: str) -> int:
    return len(text.splitlines()[-1])


def _spread(table: SimpleTable, gap: int) -> str:
    """Text of a table whose names, or values of a list, have more room by a gap."""
    wide = 0 if table[0].datatype == "header" else 1
    colwidths = [table.output_formats["txt"]["colwidths"]] * len(table[-1])
    colwidths[wide] = gap + max(colwidths[wide], *(len(str(row[wide].data)) for row in table))
    return str(table.as_text(colwidths=colwidths))

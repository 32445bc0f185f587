"""Printed tables: TSV with the unrounded numbers, LaTeX (booktabs) and Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..challenge.display import Display
from ..ranking.tables import Tables
from ..system.atomic import publish, write_table
from ..system.errors import InputError
from .tables import TABLES, tsv_rows

LONG = 40  # rows; more do not fit a page

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": r"$-$",
    "–": "--",
    "·": r"\textperiodcentered{}",
    "…": r"\dots{}",
    "µ": r"\textmu{}",
    "∅": r"$\emptyset$",
    "⁶": r"$^6$",
    "³": r"$^3$",
    "β": r"$\beta$",
    "τ": r"$\tau$",
    "→": r"$\rightarrow$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "†": r"\dag{}",
}
_MARKDOWN = str.maketrans({c: f"\\{c}" for c in "\\|*_<>`"} | {"\n": " "})


@dataclass(frozen=True)
class Printed:
    """A table as printed: texts, which of them are bold, and how many columns are text.

    links: on a page, the address that a text links to ("" for none), of the columns that have some.
    ids: on a page, the id of each row, "" for none.
    """

    texts: pd.DataFrame
    bold: pd.DataFrame | None = None
    text_columns: int = 1
    links: pd.DataFrame | None = None
    ids: tuple[str, ...] = ()


NOTHING = Printed(pd.DataFrame({"Nothing to show": ["no rows"]}))


def write_printed(
    name: str, tables: Tables, display: Display, outputs: Mapping[str, str | Path]
) -> None:
    """Write one of TABLES in each form of `outputs` (tsv, tex, md).

    tables: the track's ranking tables by name. The TSV has the rows' own columns behind the
    entrant's title; what is missing, and what a reader must know, stands in the captions of the
    other forms. Raises InputError for an unknown table, or one whose source is not among `tables`.
    """
    module = TABLES[name]
    for source in module.SOURCES:
        if source not in tables:
            raise InputError(f"table {name!r}: expected the table {source!r} to make it from")
    rows = tsv_rows(name, tables)
    printed = module.printed(rows, display) if len(rows) else NOTHING
    caption = _caption(TABLES.caption(name), display)
    for form, path in outputs.items():
        if form == "tsv":
            write_table(_titled(rows, display), path)
            continue
        text = latex(printed, caption, name) if form == "tex" else markdown(printed, caption)
        with publish(path) as temporary:
            temporary.write_text(text)


def _caption(caption: str, display: Display) -> str:
    warning = f"PARTIAL, missing: {'; '.join(display.partial)}. " if display.partial else ""
    return f"{warning}{caption}{f' {display.note}' if display.note else ''}"


def _titled(rows: pd.DataFrame, display: Display) -> pd.DataFrame:
    if not {"method", "init"} <= set(rows):
        return rows
    entrants = zip(rows["method"], rows["init"], strict=True)
    titled = rows.copy()
    titled.insert(0, "entrant", [display.entrant(method, init) for method, init in entrants])
    return titled


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it stands, the signs of our tables among it."""
    return "".join(_LATEX.get(character, character) for character in text)


def latex(table: Printed, caption: str, label: str) -> str:
    """A table with rules of booktabs; with more than LONG rows it breaks over pages."""
    columns = "l" * table.text_columns + "r" * (table.texts.shape[1] - table.text_columns)
    head = " & ".join(escape_latex(name) for name in table.texts.columns) + r" \\"
    rows = [
        " & ".join(
            rf"\textbf{{{escape_latex(text)}}}" if is_bold else escape_latex(text)
            for text, is_bold in zip(texts, bold, strict=True)
        )
        + r" \\"
        for texts, bold in zip(table.texts.to_numpy(), _bold(table).to_numpy(), strict=True)
    ]
    title = rf"\caption{{{escape_latex(caption)}}}\label{{tab:{label}}}"
    if len(rows) > LONG:
        return "\n".join(
            [
                r"% needs \usepackage{booktabs,longtable}",
                rf"\begin{{longtable}}{{{columns}}}",
                title + r" \\",
                *(r"\toprule", head, r"\midrule", r"\endfirsthead"),
                *(r"\toprule", head, r"\midrule", r"\endhead"),
                *(r"\bottomrule", r"\endlastfoot"),
                *rows,
                r"\end{longtable}",
                "",
            ]
        )
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            *(r"\begin{table}", r"\centering", title),
            *(rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule"),
            *rows,
            *(r"\bottomrule", r"\end{tabular}", r"\end{table}", ""),
        ]
    )


def markdown(table: Printed, caption: str) -> str:
    """A pipe table under its caption; numbers are aligned right."""
    names = [str(name).translate(_MARKDOWN) for name in table.texts.columns]
    rules = ["---"] * table.text_columns + ["---:"] * (len(names) - table.text_columns)
    lines = [
        [
            f"**{text.translate(_MARKDOWN)}**" if is_bold else text.translate(_MARKDOWN)
            for text, is_bold in zip(texts, bold, strict=True)
        ]
        for texts, bold in zip(table.texts.to_numpy(), _bold(table).to_numpy(), strict=True)
    ]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in [names, rules, *lines])
    return f"{caption}\n\n{table}\n"


def _bold(table: Printed) -> pd.DataFrame:
    if table.bold is None:
        return pd.DataFrame(False, index=table.texts.index, columns=table.texts.columns)
    return table.bold.reindex(columns=table.texts.columns, fill_value=False)

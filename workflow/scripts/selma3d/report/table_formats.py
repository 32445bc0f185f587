"""Tables as LaTeX (booktabs) and Markdown."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

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
    "β": r"$\beta$",
}
_MARKDOWN = str.maketrans({c: f"\\{c}" for c in "\\|*_<>`"} | {"\n": " "})


@dataclass(frozen=True)
class Shown:
    """A table as printed: texts, which of them are bold, and how many columns are words."""

    texts: pd.DataFrame
    bold: pd.DataFrame | None = None
    words: int = 1


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it stands, the signs of our tables among it."""
    return "".join(_LATEX.get(character, character) for character in text)


def latex(shown: Shown, caption: str, label: str) -> str:
    """A table with rules of booktabs; with more than LONG rows it breaks over pages."""
    columns = "l" * shown.words + "r" * (shown.texts.shape[1] - shown.words)
    head = " & ".join(escape_latex(name) for name in shown.texts.columns) + r" \\"
    rows = [
        " & ".join(
            rf"\textbf{{{escape_latex(text)}}}" if is_bold else escape_latex(text)
            for text, is_bold in zip(texts, bold, strict=True)
        )
        + r" \\"
        for texts, bold in zip(shown.texts.to_numpy(), _bold(shown).to_numpy(), strict=True)
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


def markdown(shown: Shown, caption: str) -> str:
    """A pipe table under its caption; numbers are aligned right."""
    names = [str(name).translate(_MARKDOWN) for name in shown.texts.columns]
    rules = ["---"] * shown.words + ["---:"] * (len(names) - shown.words)
    lines = [
        [
            f"**{text.translate(_MARKDOWN)}**" if is_bold else text.translate(_MARKDOWN)
            for text, is_bold in zip(texts, bold, strict=True)
        ]
        for texts, bold in zip(shown.texts.to_numpy(), _bold(shown).to_numpy(), strict=True)
    ]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in [names, rules, *lines])
    return f"{caption}\n\n{table}\n"


def _bold(shown: Shown) -> pd.DataFrame:
    if shown.bold is None:
        return pd.DataFrame(False, index=shown.texts.index, columns=shown.texts.columns)
    return shown.bold.reindex(columns=shown.texts.columns, fill_value=False)

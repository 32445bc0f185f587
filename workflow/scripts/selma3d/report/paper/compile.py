"""Compilation of a manuscript by whichever LaTeX is installed, as a command of its own."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from ...challenge.config import read_config
from ...challenge.layout import Layout
from ...system.errors import InputError

ROOT = Path(__file__).resolve().parents[5]
# pdflatex leaves references to be resolved by a second pass.
COMPILERS = {
    "latexmk": (("latexmk", "-pdf", "-interaction=nonstopmode", "-halt-on-error"),),
    "tectonic": (("tectonic",),),
    "pdflatex": (("pdflatex", "-interaction=nonstopmode", "-halt-on-error"),) * 2,
}


def compiler() -> str | None:
    """The first LaTeX that is installed."""
    return next((name for name in COMPILERS if shutil.which(name)), None)


def compiled(manuscript: Path) -> Path:
    """Compile with what is installed; the PDF. InputError with LaTeX's own line where it fails."""
    name = compiler()
    if name is None:
        raise InputError(f"{manuscript}: no LaTeX is installed: expected {', '.join(COMPILERS)}")
    for command in COMPILERS[name]:
        ran = subprocess.run(
            [*command, manuscript.name],
            cwd=manuscript.parent,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
        )
        if ran.returncode:
            lines = [line for line in ran.stdout.splitlines() if line.startswith("!")]
            said = lines[0] if lines else f"exit code {ran.returncode}"
            raise InputError(f"{manuscript}: {name}: {said}; see {manuscript.with_suffix('.log')}")
    return manuscript.with_suffix(".pdf")


def main(arguments: list[str] | None = None) -> int:
    """Compile the manuscript of a configuration; 0 also where no LaTeX is installed."""
    parser = argparse.ArgumentParser(prog="python -m selma3d.report.paper.compile")
    parser.add_argument("config", nargs="*", type=Path)
    given = parser.parse_args(arguments)
    try:
        config = read_config(ROOT, given.config)
        manuscript = Path(Layout(config.results, config.partial).paper("manuscript"))
        print(f"manuscript: {manuscript}")
        if compiler() is None:
            print(f"no LaTeX is installed ({', '.join(COMPILERS)}): not compiled")
            return 0
        print(f"compiled:   {compiled(manuscript)}")
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

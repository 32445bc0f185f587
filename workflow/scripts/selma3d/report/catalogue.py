"""Catalogues of figures and of tables: a folder in which each module makes one, named as it is.

A module's docstring is the caption of what it makes. Catalogues are read whenever Snakemake starts,
so names and captions are taken from the files, without importing matplotlib.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from ..system.errors import InputError

# What Snakemake puts below a caption in its own report, from the params of the rule.
MARKS = """
{% if snakemake.params.display.note %}*Note: {{ snakemake.params.display.note }}.*{% endif %}
{% if snakemake.params.display.partial %}**Partial:** \
{{ snakemake.params.display.partial | join("; ") }}.{% endif %}
"""


@dataclass(frozen=True)
class Catalogue:
    """The figures, or the tables, of a track.

    kind: figure or table. package, folder: whose modules they are. Each module has PLACE, its order
    in the report, and IN_A_PAPER, what papers call it; that of a figure also TITLE.
    """

    kind: str
    package: str
    folder: Path

    @property
    def names(self) -> tuple[str, ...]:
        """Names in alphabetical order: of modules, with hyphens."""
        stems = sorted(path.stem for path in self.folder.glob("[a-z]*.py"))
        return tuple(stem.replace("_", "-") for stem in stems)

    def caption(self, name: str) -> str:
        """What is said under a figure or a table."""
        return caption_of(self._file(name))

    def __getitem__(self, name: str) -> ModuleType:
        """The module that makes one; InputError for an unknown name."""
        return import_module(f"{self.package}.{self._file(name).stem}")

    def write_captions(self, folder: str | Path) -> dict[str, str]:
        """Write each caption to a file, as Snakemake's own report wants them; the paths by name."""
        return {name: write_caption(self._file(name), folder) for name in self.names}

    def _file(self, name: str) -> Path:
        if name not in self.names:
            known = ", ".join(self.names)
            raise InputError(f"{self.kind} {name!r}: expected one of {known}")
        return self.folder / f"{name.replace('-', '_')}.py"


def caption_of(module: Path) -> str:
    """The docstring of a module, in one line."""
    return " ".join((ast.get_docstring(ast.parse(module.read_text())) or "").split())


def write_caption(module: Path, folder: str | Path) -> str:
    """Write a module's docstring and what has to be said besides as a caption for Snakemake."""
    path = Path(folder) / f"{module.parent.name}-{module.stem}.rst"
    path.write_text(caption_of(module).replace("*", "\\*") + "\n" + MARKS)
    return str(path)

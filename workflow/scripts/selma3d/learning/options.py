"""Options of every network and pretext task, and docs/options.md, which is written from them.

python -m selma3d.learning.options
"""

from __future__ import annotations

from pathlib import Path

from ..challenge.checking import Model
from ..challenge.schemas import ROOT, table
from . import pretext
from .networks import NETWORKS

PAGE = Path("docs", "options.md")
INTRODUCTION = """\
# Options of networks and pretext tasks

Keys of a recipe beside those in [config/README.md](../config/README.md). This page is written from
the code: `python -m selma3d.learning.options` in `workflow/scripts`.
"""


def options() -> dict[str, type[Model]]:
    """The options by heading: keys of `network`, then keys of an entry of `pretexts`."""
    networks = {f"network: {{name: {name}}}": each.Options for name, each in NETWORKS.items()}
    tasks = {f"pretexts: {{task: {name}}}": pretext.task(name).Options for name in pretext.names()}
    return networks | tasks


def page() -> str:
    """The page as Markdown."""
    sections = [f"\n## `{heading}`\n\n{table(each)}" for heading, each in options().items()]
    return INTRODUCTION + "".join(sections)


if __name__ == "__main__":
    (ROOT / PAGE).write_text(page(), encoding="utf-8")

"""Files of a new method, copied from a template that runs at once: make new-method NAME=mine.

Standard library only, so that it needs no installation.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from ..system.errors import InputError
from ..system.fingerprint import visible

ROOT = Path(__file__).resolve().parents[4]
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
# Told apart by the colour-blind too. Source: Paul Tol's muted scheme, Okabe and Ito's.
COLOURS = (
    *("#332288", "#CC6677", "#117733", "#DDCC77", "#88CCEE", "#882255", "#44AA99", "#AA4499"),
    *("#999933", "#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#F0E442"),
)


def new_method(name: str, kind: str, folder: Path | None = None, root: Path = ROOT) -> list[Path]:
    """Write the files of a method and return their paths.

    kind: recipe or rule. folder: outside the repository; None puts each file where it belongs.
    Raises InputError for a name that cannot be one or is taken, and writes nothing then.
    """
    if not NAME.fullmatch(name):
        raise InputError(
            f"NAME: expected lower-case letters, digits and single hyphens, a letter first "
            f"(such as my-method), found {name!r}"
        )
    places = _places(name, kind, folder, root)
    for file in [root / "config" / "methods" / f"{name}.yaml", *places.values()]:
        if file.exists():
            raise InputError(f"NAME: {name!r} is taken by {file} (choose another)")
    rule = name.replace("-", "_")
    script = f"{rule}.py" if folder else f"../../scripts/{rule}.py"
    values = {"NAME": name, "TITLE": name.replace("-", " ").capitalize(), "RULE": rule}
    values |= {"COLOUR": _free_colour(folder, root), "SCRIPT": script}
    templates = root / "config" / "templates"
    filled = {file: _filled((templates / t).read_text(), values) for t, file in places.items()}
    for file, text in filled.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x") as new:
            new.write(text)
    return list(filled)


def _places(name: str, kind: str, folder: Path | None, root: Path) -> dict[str, Path]:
    """Where each template goes."""
    rule = name.replace("-", "_")
    scripts = folder or root / "workflow" / "scripts"
    rules = folder or root / "workflow" / "rules" / "methods"
    method = (folder or root / "config" / "methods") / f"{name}.yaml"
    match kind:
        case "recipe":
            return {"recipe.yaml": method}
        case "rule":
            return {
                "rule.yaml": method,
                "rule.smk": rules / f"{name}.smk",
                "rule.py": scripts / f"{rule}.py",
            }
    raise InputError(f"KIND: expected recipe or rule, found {kind!r}")


def _filled(template: str, values: Mapping[str, str]) -> str:
    return re.sub(r"@([A-Z]+)@", lambda match: values[match[1]], template)


def _free_colour(folder: Path | None, root: Path) -> str:
    """The first colour that no method has; after the last, the first again."""
    folders = [root / "config" / "methods", *([folder] if folder else [])]
    files = [file for place in folders for file in visible(place, "*.yaml")]
    taken = {word.upper() for file in files for word in re.findall("#[0-9A-Fa-f]{6}", _text(file))}
    return next((colour for colour in COLOURS if colour not in taken), COLOURS[0])


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")


def main() -> None:
    """Command line of `make new-method`."""
    parser = argparse.ArgumentParser(prog="make new-method", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("kind", choices=["recipe", "rule"])
    parser.add_argument("folder", nargs="?", type=Path)
    given = parser.parse_args()
    try:
        written = new_method(given.name, given.kind, given.folder)
    except InputError as error:
        sys.exit(f"new-method: {error}")
    folders = f" 'method_folders=[{given.folder.resolve()}]'" if given.folder else ""
    print(*written, sep="\n")
    print(
        "run it beside another method on synthetic images (docs/methods.md):\n"
        "  .venv/bin/snakemake --profile profiles/demo "
        f"--config 'methods=[threshold,{given.name}]'{folders}"
    )


if __name__ == "__main__":
    main()

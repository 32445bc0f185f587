"""The configuration as it is layered: config/config.yaml, files laid over it, single keys."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .parts import layer
from .schema import load_yaml


def read_config(
    root: Path, files: Iterable[str | Path] = (), keys: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The repository's configuration with `files` laid over it in turn, and `keys` over those.

    Raises InputError for a file that is absent or no YAML mapping; `Challenge` checks the content.
    """
    config = load_yaml(root / "config" / "config.yaml")
    for file in files:
        config = layer(config, load_yaml(Path(file)))
    return layer(config, keys or {})

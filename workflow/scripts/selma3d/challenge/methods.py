"""Which methods take part; a file that is broken costs its own method and no other."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..system.errors import InputError
from . import schema
from .parts import Method, layer


@dataclass(frozen=True)
class LeftOut:
    """A method that does not take part, and why: one line that names its file."""

    name: str
    reason: str


@dataclass(frozen=True)
class Selection:
    """The methods in force by name, and those that would be but cannot."""

    methods: dict[str, Method]
    left_out: list[LeftOut]


def select_methods(config: dict[str, Any], root: Path) -> Selection:
    """Read the methods that the config asks for: all files of the method folders, or named ones.

    root: the folder that paths in the config are relative to. A file that violates the contract
    leaves its method out; whoever runs the challenge decides whether it goes on without.
    Raises InputError for a name in the config that no file has, and for an absent folder.
    """
    selection = Selection({}, [])
    chosen, seen = config["methods"], {}
    for file in _method_files(config, root):
        if chosen != "all" and file.stem not in chosen:
            continue
        try:
            if file.stem in seen:
                raise InputError(
                    f"{file}: name: expected one that no other method has, found {file.stem!r}, "
                    f"which is taken by {seen[file.stem]} (rename the file and its name)"
                )
            seen[file.stem] = file
            selection.methods[file.stem] = _read_method(file, config, root)
        except InputError as error:
            selection.left_out.append(LeftOut(file.stem, str(error)))
    _check_names([] if chosen == "all" else chosen, [f.stem for f in _method_files(config, root)])
    return selection


def _method_files(config: dict[str, Any], root: Path) -> Iterator[Path]:
    yield from sorted((root / "config" / "methods").glob("*.yaml"))
    for name in config["method_folders"]:
        folder = root / Path(name).expanduser()
        if not folder.is_dir():
            raise InputError(f"config: method_folders: {folder}: expected a folder, found none")
        yield from sorted(folder.glob("*.yaml"))


def _check_names(chosen: list[str], known: list[str]) -> None:
    for name in chosen:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f", did you mean {near[0]!r}?" if near else f" (known: {', '.join(known)})"
            raise InputError(f"config: methods: no method {name!r}{hint}")


def _read_method(file: Path, config: dict[str, Any], root: Path) -> Method:
    settings = schema.load_yaml(file)
    schema.check(settings, "method", file)
    name = file.stem
    if settings["name"] != name:
        raise InputError(
            f"{file}: name: expected {name!r}, as the file is called, found {settings['name']!r}"
        )
    if settings["kind"] == "foreign":
        return Method(name, file, settings | {"runs": "default"}, {})
    if settings["kind"] == "submission":
        _check_gpu(settings, file, config)
        return Method(name, file, settings | {"runs": "default"}, {})
    if settings["kind"] == "rule":
        _check_gpu(settings, file, config)
        settings = settings | {"settings": _sized(settings, config)}
        pins = _pins(file, root) if "environment" in settings else None
        return Method(name, file, settings, {}, _rule_file(file, root), pins)
    recipe = layer(settings["recipe"]["production"], settings["recipe"].get(config["size"], {}))
    recipe = _like(layer(recipe, config["recipe_overrides"].get(name, {})), file)
    named = f"{file}, recipe at size {config['size']}"
    schema.check(recipe, "recipe", named)
    _check_turns(recipe, named)
    return Method(name, file, settings, recipe)


def _check_turns(recipe: dict[str, Any], named: str) -> None:
    """Quarter turns need windows as wide as high: fine-tuning would find out after pretraining."""
    window = recipe["input"]["window"]
    turns = recipe["finetune"].get("augment", {}).get("rotate90", 0)
    if isinstance(turns, dict):
        turns = turns.get("probability", 0)
    if turns and window[1] != window[2]:
        raise InputError(
            f"{named}: finetune: augment: rotate90: expected input.window as wide as high, "
            f"found {window} (rotate90: 0 switches it off)"
        )


def _like(recipe: dict[str, Any], file: Path) -> dict[str, Any]:
    """The recipe with each pretext that is `like` another one laid over that one."""
    pretexts = dict(recipe.get("pretexts", {}))
    for name, settings in pretexts.items():
        if not isinstance(settings, dict) or "like" not in settings:
            continue
        own = {key: value for key, value in settings.items() if key != "like"}
        model = recipe["pretexts"].get(settings["like"])
        if not isinstance(model, dict) or "like" in model:
            raise InputError(
                f"{file}: pretexts: {name}: like: expected a pretext that stands on its own, "
                f"found {settings['like']!r}"
            )
        pretexts[name] = layer(model, own)
    return recipe | {"pretexts": pretexts}


def _check_gpu(settings: dict[str, Any], file: Path, config: dict[str, Any]) -> None:
    """Recipes train on a CPU too; a rule that says it needs a GPU gets one or does not run."""
    if settings["capabilities"]["gpu"] and config["resources"]["gpu"] == 0:
        raise InputError(
            f"{file}: capabilities.gpu: true: expected a GPU to run on, found resources.gpu: 0 in "
            "the config (raise it where there is a GPU, or say gpu: false if a CPU will do)"
        )


def _sized(settings: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """A rule's settings; where it has some by size, those of the chosen size."""
    own = settings.get("settings", {})
    if "production" in own:
        own = layer(own["production"], own.get(config["size"], {}))
    return layer(own, config["recipe_overrides"].get(settings["name"], {}))


def _rule_file(file: Path, root: Path) -> Path:
    """The rules that a method brings."""
    return _brought(file, root, Path("workflow", "rules", "methods", f"{file.stem}.smk"), "rules")


def _pins(file: Path, root: Path) -> Path:
    """What is installed into the environment of a method's own."""
    return _brought(file, root, Path("workflow", "envs", f"{file.stem}.txt"), "pins")


def _brought(file: Path, root: Path, generic: Path, what: str) -> Path:
    """A file of a method: beside its method file, or among the generic ones."""
    for place in (file.with_suffix(generic.suffix), root / generic):
        if place.exists():
            return place
    raise InputError(
        f"{file}: kind: rule: expected {what} in {generic} or beside the method file, found none"
    )

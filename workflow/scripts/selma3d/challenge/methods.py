"""Methods that take part; a faulty file excludes its own method and no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..system.errors import InputError
from ..system.fingerprint import visible
from .checking import check, load_yaml, nearest
from .config import Config, layer
from .method_file import KINDS, MethodFile, RecipeFile
from .recipe import Recipe
from .structure import Structure


@dataclass(frozen=True)
class Method:
    """A way to segment: a recipe, a rule, a program of the platform, or masks made elsewhere."""

    name: str
    file: Path
    about: MethodFile = field(repr=False)
    settings: dict[str, Any] = field(default_factory=dict, repr=False)  # of a rule, at its size
    recipe: Recipe | None = field(default=None, repr=False)  # at its size
    rules: Path | None = None  # the .smk file that a method of kind rule brings
    pins: Path | None = None  # what is installed into its own environment, if it has one

    @property
    def is_recipe(self) -> bool:
        return self.about.kind == "recipe"

    @property
    def is_foreign(self) -> bool:
        return self.about.kind == "foreign"

    @property
    def is_submission(self) -> bool:
        return self.about.kind == "submission"

    @property
    def has_one_run(self) -> bool:
        """Whether it segments once, whatever budgets, folds and seeds there are."""
        return self.about.runs == "default"

    @property
    def pretexts(self) -> tuple[str, ...]:
        return tuple(self.recipe.pretexts) if self.recipe else ()

    def segments(self, structure: Structure) -> bool:
        """Whether the method claims the structure's type."""
        return structure.scored_as in self.about.capabilities.structure_types


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


def select_methods(config: Config, root: Path) -> Selection:
    """Read the methods that the config asks for: all files of the method folders, or named ones.

    root: the folder that paths in the config are relative to. A file that violates the contract
    leaves its method out; the user decides whether the challenge goes on without it.
    Raises InputError for a name in the config that no file has, and for an absent folder.
    """
    selection = Selection({}, [])
    chosen, seen = config.methods, {}
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
    known = [file.stem for file in _method_files(config, root)]
    for name in () if chosen == "all" else chosen:
        if name not in known:
            raise InputError(f"config: methods: no method {name!r}{nearest(name, known)}")
    return selection


def _method_files(config: Config, root: Path) -> Iterator[Path]:
    yield from visible(root / "config" / "methods", "*.yaml")
    for name in config.method_folders:
        folder = root / Path(name).expanduser()
        if not folder.is_dir():
            raise InputError(f"config: method_folders: {folder}: expected a folder, found none")
        yield from visible(folder, "*.yaml")


def _read_method(file: Path, config: Config, root: Path) -> Method:
    content, name = load_yaml(file), file.stem
    about = check(KINDS[check(MethodFile, content, file).kind], content, file)
    if about.name != name:
        raise InputError(
            f"{file}: name: expected {name!r}, as the file is called, found {about.name!r}"
        )
    if about.kind == "recipe":
        return Method(name, file, about, recipe=_recipe(about, file, config))
    if about.capabilities.gpu is True and config.resources.gpu == 0:
        raise InputError(
            f"{file}: capabilities.gpu: true: expected a GPU to run on, found resources.gpu: 0 in "
            "the config (raise it where there is a GPU, or say gpu: false if a CPU will do)"
        )
    if about.kind in ("foreign", "submission"):
        return Method(name, file, about, about.settings.plain())
    settings = about.settings or {}
    if "production" in settings:
        settings = layer(settings["production"], settings.get(config.size, {}))
    settings = layer(settings, config.recipe_overrides.get(name, {}))
    rules = _brought(file, root, Path("workflow", "rules", "methods", f"{name}.smk"), "rules")
    pins = Path("workflow", "envs", f"{name}.txt")
    pinned = _brought(file, root, pins, "pins") if about.environment else None
    return Method(name, file, about, settings, rules=rules, pins=pinned)


def _recipe(about: RecipeFile, file: Path, config: Config) -> Recipe:
    sizes = about.recipe.model_dump(mode="json", exclude_none=True)
    content = layer(sizes["production"], sizes.get(config.size, {}))
    content = _like(layer(content, config.recipe_overrides.get(about.name, {})), file)
    return check(Recipe, content, f"{file}, recipe at size {config.size}")


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


def _brought(file: Path, root: Path, generic: Path, what: str) -> Path:
    """A file of a method: beside its method file, or among the generic ones."""
    for place in (file.with_suffix(generic.suffix), root / generic):
        if place.exists():
            return place
    raise InputError(
        f"{file}: kind: rule: expected {what} in {generic} or beside the method file, found none"
    )

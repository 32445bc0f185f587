"""The challenge as data: which encoders, models, predictions and scores a configuration asks for.

The workflow asks this module what there is to make; it holds no paths of results and runs nothing.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..system.errors import InputError
from ..system.randomness import numpy_generator
from . import schema
from .containers import container_slugs
from .methods import LeftOut, Selection, select_methods
from .parts import Method, Structure, Target, layer
from .ranking_groups import ranking_groups
from .run import CONTROLS, ENSEMBLE, PACKED, Run, member_init
from .samples import read_samples
from .structures import structures_of_edition
from .targets import ONE_MODEL, targets_of_tracks


class Challenge:
    """A validated configuration and everything that follows from it.

    Parameters
    ----------
    config: the layered configuration (config/config.yaml and what lies above it).
    root: the folder that paths in the configuration are relative to (the repository).

    Raises InputError naming file and key.
    """

    def __init__(self, config: dict[str, Any], root: Path) -> None:
        schema.check(config, "config", "config")
        self.config = config
        self.root = root
        edition_file = root / "config" / "editions" / f"{config['edition']}.yaml"
        self.edition = schema.load_yaml(edition_file)
        schema.check(self.edition, "edition", edition_file)
        self._edition_file = edition_file
        for name in config["archives"]:
            if name not in self.edition["archives"]:
                raise InputError(
                    f"config: archives.{name}: the edition has no such archive "
                    f"(known: {', '.join(self.edition['archives'])})"
                )
        samples_file = root / "config" / "samples" / f"{config['edition']}.tsv"
        self.samples = read_samples(samples_file, self.edition)

    # -- images -------------------------------------------------------------------------------

    @cached_property
    def archives(self) -> dict[str, dict[str, Any]]:
        """Sources of images by name, the config's overrides applied."""
        return {
            name: layer(source, self.config["archives"].get(name, {}))
            for name, source in self.edition["archives"].items()
        }

    @cached_property
    def structures(self) -> dict[str, Structure]:
        """Structures that are learnt or scored, left-out twins included."""
        return structures_of_edition(self.edition, self.config, self._edition_file)

    @cached_property
    def scored(self) -> tuple[str, ...]:
        """Structures that have test cases: given ones, or a held-out split of their patches."""
        return tuple(n for n, s in self.structures.items() if self._has_cases(s.cases_of))

    def _has_cases(self, name: str) -> bool:
        structure = self.structures[name]
        return bool(
            structure.cases or (structure.patches and self.config["test_cases"] == "held-out")
        )

    @cached_property
    def unscored(self) -> tuple[str, ...]:
        """Structures of the edition without any test case in this configuration."""
        return tuple(n for n in self.structures if n not in self.scored)

    @property
    def structures_with_patches(self) -> tuple[str, ...]:
        return tuple(n for n, s in self.structures.items() if s.patches)

    @property
    def structures_with_given_cases(self) -> tuple[str, ...]:
        return tuple(n for n, s in self.structures.items() if s.cases)

    @property
    def structures_with_drawn_cases(self) -> tuple[str, ...]:
        return tuple(
            n
            for n in self.scored
            if n in self.structures_with_patches and not self.structures[n].cases
        )

    def rows(self, structure: str, kind: str) -> list[dict[str, str]]:
        """Rows of the samples table for a structure; kind is volume, patch or case."""
        return self._rows.get((structure, kind), [])

    @cached_property
    def _rows(self) -> dict[tuple[str, str], list[dict[str, str]]]:
        """All rows by structure and kind: thousands of jobs ask for them."""
        rows: dict[tuple[str, str], list[dict[str, str]]] = {}
        for row in self.samples.to_dict("records"):
            rows.setdefault((row["structure"], row["kind"]), []).append(row)
        return rows

    def sources(self, structure: str, kind: str) -> list[dict[str, str]]:
        """The archives that hold a structure's patches or cases: the folder's and the rows'."""
        spec = self.structures[structure]
        folder = spec.patches if kind == "patch" else spec.cases
        named = [row for row in self.rows(structure, kind) if row["image"]]
        return [*([folder] if folder else []), *named]

    def images(self, structure: str, kind: str) -> dict[str, Any]:
        """What the conversion of a structure's patches or cases has to know."""
        spec = self.structures[structure]
        folder = spec.patches if kind == "patch" else spec.cases
        archives = {source["archive"] for source in self.sources(structure, kind)}
        if len(archives) != 1:
            raise InputError(
                f"{self._edition_file}: structures.{structure}: expected the images of kind {kind} "
                f"in one archive, found them in {', '.join(sorted(archives)) or 'none'}"
            )
        return {
            "structure": structure,
            "archive": archives.pop(),
            "folder": folder["folder"] if folder else None,
            "rows": self.rows(structure, kind),
            "voxel_size_um": spec.voxel_size_um,
        }

    def removes_planes(self, row: dict[str, str]) -> bool:
        """Whether a volume's planes go after conversion: downloaded ones only, on request."""
        downloaded = self.archives[row["archive"]]["kind"] in ("biostudies", "urls")
        return self.config["convert"]["remove_planes"] and downloaded

    def channel(self, row: dict[str, str]) -> int:
        """The channel that networks see of the image in a row of the samples table."""
        return self.structures[row["structure"]].channel

    def volumes(self, group: str) -> list[dict[str, str]]:
        """Rows of the unannotated volumes of a pretraining group."""
        return [
            row
            for name, structure in self.structures.items()
            if group in (structure.group, ONE_MODEL)
            for row in self.rows(name, "volume")
        ]

    def learnt_from(self, method: str, group: str, pretext: str) -> str:
        """The group whose volumes an encoder of `group` is pretrained on: itself, or all."""
        settings = self.methods[method].recipe["pretexts"][pretext]
        return ONE_MODEL if settings.get("groups") == "all" else group

    def volumes_to_learn_from(
        self, method: str, group: str, pretext: str, seed: int
    ) -> list[dict[str, str]]:
        """Rows of the volumes that an encoder is pretrained on: its group's, or as its recipe says.

        Fewer are drawn from the seed, and are among those of any larger number. Raises InputError
        where a recipe wants more than there are.
        """
        rows = self.volumes(self.learnt_from(method, group, pretext))
        number = self.methods[method].recipe["pretexts"][pretext].get("volumes", len(rows))
        if number > len(rows):
            raise InputError(
                f"{self.methods[method].file}: pretexts: {pretext}: volumes: expected at most the "
                f"{len(rows)} of {group}, found {number}"
            )
        drawn = numpy_generator(seed, "volumes").permutation(len(rows))[:number]
        return [rows[place] for place in sorted(drawn)]

    # -- models -------------------------------------------------------------------------------

    @cached_property
    def targets(self) -> dict[str, Target]:
        """Fine-tuned models by target name, over all tracks in force."""
        return targets_of_tracks(self.structures, self.scored, self.config, self._edition_file)

    @cached_property
    def _selection(self) -> Selection:
        return select_methods(self.config, self.root)

    @property
    def methods(self) -> dict[str, Method]:
        """Methods in force by name: every file of config/methods, or those that config names."""
        return self._selection.methods

    @property
    def left_out(self) -> list[LeftOut]:
        """Methods that cannot take part, and why."""
        return self._selection.left_out

    def leave_out(self, name: str, reason: str) -> None:
        """Go on without a method whose fault showed only after its file had been read."""
        del self.methods[name]
        self.left_out.append(LeftOut(name, reason))

    def check_asked_for(self) -> None:
        """Raise InputError where the config names a method that cannot take part."""
        for left_out in self.left_out:
            if self.config["methods"] != "all":
                raise InputError(f"{left_out.reason} (config: methods names {left_out.name!r})")
        if not self.methods:
            raise InputError("config: methods: expected some that can take part, found none")

    @property
    def recipes(self) -> tuple[str, ...]:
        return tuple(name for name, method in self.methods.items() if method.is_recipe)

    @property
    def foreign(self) -> tuple[str, ...]:
        """Methods whose masks someone else made."""
        return tuple(name for name, method in self.methods.items() if method.is_foreign)

    @property
    def submissions(self) -> tuple[str, ...]:
        """Programs with the interface of the challenge's platform."""
        return tuple(name for name, method in self.methods.items() if method.is_submission)

    @property
    def peers(self) -> tuple[str, ...]:
        """Methods that bring another package, in an environment of its own."""
        return tuple(n for n, method in self.methods.items() if method.pins)

    def foreign_predictions(self, method: str) -> Path:
        """The folder or predictions.json that a foreign method's masks are in."""
        predictions = self.methods[method].settings["settings"]["predictions"]
        return self.root / Path(predictions).expanduser()

    def inits(self, method: str) -> tuple[str, ...]:
        """How a recipe's models start: controls, pretexts, packs that the config admits."""
        admitted = self.config["inits"]
        known = (*CONTROLS, *self.methods[method].pretexts, *self.packs(method))
        default = tuple(init for init in known if init != "scratch-long")
        return default if admitted == "all" else tuple(i for i in known if i in admitted)

    def packs(self, method: str) -> dict[str, dict[str, str]]:
        """Encoders made elsewhere that a recipe may start from: init -> group -> pack."""
        given = self.config["packs"].get(method, {})
        return {f"{PACKED}{name}": groups for name, groups in given.items()}

    def pack(self, method: str, init: str, group: str) -> Path:
        """The pack that a recipe's encoder of a group comes from; InputError if there is none."""
        groups = self.packs(method)[init]
        if group not in groups:
            raise InputError(
                f"config: packs.{method}.{init.removeprefix(PACKED)}: expected a pack for group "
                f"{group!r}, found {', '.join(groups)}"
            )
        return self.root / Path(groups[group]).expanduser()

    def runs(self, method: str, structure: str) -> list[Run]:
        """The runs of a method that segment a structure, over all tracks in force."""
        if self.methods[method].settings.get("runs", "grid") == "default":
            return [Run()]
        if self.methods[method].is_recipe:
            inits = self.inits(method)
        else:
            inits = tuple(self.methods[method].settings.get("inits", ["scratch"]))
        tracks = [t.track for t in self.targets.values() if structure in t.segments]
        models = [
            Run(init, str(budget), fold, seed, track)
            for track in tracks
            for init in inits
            for budget in self.config["budgets"]
            for fold in range(self.config["folds"])
            for seed in self.config["seeds"]
        ]
        if not (self.config["predict"]["ensemble"] and self.methods[method].is_recipe):
            return models
        if self.config["folds"] * len(self.config["seeds"]) == 1:
            raise InputError(
                "config: predict.ensemble: expected several folds or seeds to join, found one of "
                "each (add seeds, or set it to false)"
            )
        ensembles = (Run(m.init + ENSEMBLE, m.budget, track=m.track) for m in models)
        return [*models, *dict.fromkeys(ensembles)]

    def members(self, ensemble: Run) -> list[Run]:
        """The runs whose models an ensemble joins: all folds and seeds of its init and budget."""
        return [
            replace(ensemble, init=member_init(ensemble.init), fold=fold, seed=seed)
            for fold in range(self.config["folds"])
            for seed in self.config["seeds"]
        ]

    def structures_of(self, method: str) -> tuple[str, ...]:
        """Scored structures that a method segments; left-out twins are for recipes alone."""
        claimed = (n for n in self.scored if self.methods[method].segments(self.structures[n]))
        recipe = self.methods[method].is_recipe
        return tuple(n for n in claimed if recipe or not self.structures[n].left_out)

    def segmenting_run(self, method: str) -> Run:
        """Whose model segments whole volumes: trained on all patches, first fold and seed.

        Raises InputError where `segment.init` is no init of the method.
        """
        inits = self.inits(method)
        chosen = self.config["segment"]["init"]
        if chosen == "auto":
            chosen = next((init for init in inits if init not in CONTROLS), inits[0])
        if chosen not in inits:
            raise InputError(
                f"config: segment.init: expected auto or one of {', '.join(inits)} for {method}, "
                f"found {chosen!r}"
            )
        return Run(chosen, "all", 0, self.config["seeds"][0])

    def segmenting_target(self, structure: str) -> Target:
        """Whose model segments a structure's volumes: its type's, else the one model."""
        own = self.structures[structure].target
        return self.targets[own if own in self.targets else ONE_MODEL]

    def ranking_groups(self) -> dict[str, list[str]]:
        """The groups of structures whose mean ranks are averaged; left-out twins are in none."""
        scored = [self.structures[name] for name in self.scored]
        return ranking_groups(self.edition, scored, self._edition_file)

    def container_slugs(self, structure: str) -> dict[str, str]:
        """Folders below /input and /output of the edition's containers for a structure."""
        return container_slugs(self.edition, self.structures[structure], self._edition_file)

    def ranking_settings(self) -> dict[str, Any]:
        """What ranking and statistics depend on."""
        return {
            **self.config["ranking"],
            "rule": self.edition["ranking"]["rule"],
            "groups": self.ranking_groups(),
            "metric_profile": self.edition["metric_profile"],
        }

    @property
    def note(self) -> str | None:
        """What has to be said wherever scores are shown: whose test cases these are not."""
        notes = []
        if self.config["test_cases"] == "held-out":
            notes.append("scored on a held-out split of the annotated patches, not on hidden cases")
        if any(archive["kind"] == "phantom" for archive in self.archives.values()):
            notes.append("synthetic images")
        return "; ".join(notes) or None

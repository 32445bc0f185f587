"""The challenge: the encoders, models, predictions and scores that a configuration asks for.

The workflow asks it what there is to make; it runs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from ..system.errors import InputError
from ..system.randomness import numpy_generator
from .analysis import Analysis, Design
from .checking import Faults, Model, check, load_yaml, nearest, salvaged
from .config import Config, layer
from .containers import container_slugs
from .display import OUTSIDE
from .edition import Archive, ImageFolder, completed, read_edition
from .encoder import PACKED
from .layout import Layout
from .methods import LeftOut, Method, Selection, select_methods
from .ranking_groups import further_leaderboards, ranking_groups
from .run import WITHOUT_ENCODER, Run
from .samples import Sample, read_samples
from .source import Source
from .structure import Structure, structures_of
from .target import ONE_MODEL, Target, targets_of


class AnnotatedImages(Model):
    """Where a structure's annotated patches or cases are published."""

    structure: str
    archive: str
    folder: str | None
    rows: tuple[Sample, ...]
    voxel_size_um: tuple[float, float, float] | None
    channel: int  # that networks see

    @property
    def places(self) -> tuple[str, ...]:
        """All files and folders in the archive that images and masks are looked for in."""
        named = [name for row in self.rows for name in (*row.images, row.mask) if name]
        folders = [f"{self.folder}/{part}" for part in ("raw", "gt")] if self.folder else []
        return (*folders, *named)


class ArchivePlace(Model):
    """Where an archive's files lie, and further folders that links among them may lead to."""

    folder: str
    links: tuple[str, ...] = ()


class Challenge:
    """A configuration and everything that follows from it.

    Parameters
    ----------
    config: what is asked for.
    root: the folder that paths in the configuration are relative to (the repository).

    Raises InputError naming file and key.
    """

    def __init__(self, config: Config, root: Path, faults: Faults | None = None) -> None:
        """faults: what is wrong already, told together with what is wrong with the files."""
        self.config = config
        self.root = root
        self.layout = Layout(config.results, config.partial)
        self._edition_file = root / "config" / "editions" / f"{config.edition}.yaml"
        samples_file = root / "config" / "samples" / f"{config.edition}.tsv"
        faults = faults or Faults()
        found = read_edition(self._edition_file, faults)
        self.samples: tuple[Sample, ...] = ()
        if self._edition_file.exists():  # else its name is wrong, and that of its table with it
            self.samples = read_samples(samples_file, found, faults)
        if found.edition is not None:
            named = {structure for structure, kind in self._named if kind == "patch"}
            self.edition = completed(found.edition, named)
            self._note_contradictions(faults)
        faults.check()

    def _note_contradictions(self, faults: Faults) -> None:
        """Note contradictions between configuration, edition and samples table."""
        for name in self.config.archives:
            if name not in self.edition.archives:
                hint = nearest(name, list(self.edition.archives))
                faults.note(f"config: archives.{name}: the edition has no such archive{hint}")
        for name, structure in self.edition.structures.items():
            if structure.seen and not structure.patches and (name, "patch") not in self._named:
                faults.note(
                    f"{self._edition_file}: structures.{name}.seen: true needs patches (archive "
                    "and folder, or rows of the samples table that name image and mask)"
                )
        if faults.lines:  # the rest may follow from these
            return
        for derived in ("archives", "structures", "analysis", "targets", "methods"):
            with faults.noted():
                getattr(self, derived)

    @classmethod
    def of(cls, content: Mapping[str, Any], root: Path) -> Challenge:
        """The challenge of a configuration that has not been checked yet."""
        faults = Faults()
        config = None
        with faults.noted():
            config = check(Config, content, "config")
        if config is None:
            config = salvaged(Config, content, load_yaml(root / "config" / "config.yaml"))
        if config is None:
            faults.check()
        return cls(config, root, faults)

    # -- images -------------------------------------------------------------------------------

    @cached_property
    def archives(self) -> dict[str, Archive]:
        """Sources of images by name, the config's overrides applied."""
        overrides = self.config.archives
        return {
            name: Archive.read(layer(archive.plain(), overrides[name].plain()))
            if name in overrides
            else archive
            for name, archive in self.edition.archives.items()
        }

    @cached_property
    def structures(self) -> dict[str, Structure]:
        """Structures that are learnt or scored, left-out twins included."""
        left_out_on = self.config.tracks if self.config.leave_one_structure_out else None
        return structures_of(
            self.edition, self.config.phase, self.config.test_cases, left_out_on, self._named
        )

    @cached_property
    def scored(self) -> tuple[str, ...]:
        """Structures that have test cases: given ones, or a held-out split of their patches."""
        return tuple(n for n, s in self.structures.items() if self._has_cases(s.cases_of))

    def _has_cases(self, name: str) -> bool:
        structure = self.structures[name]
        drawn = structure.has_patches and self.config.test_cases == "held-out"
        return structure.has_cases or drawn

    @cached_property
    def unscored(self) -> tuple[str, ...]:
        """Structures of the edition without any test case in this configuration."""
        return tuple(n for n in self.structures if n not in self.scored)

    @property
    def structures_with_patches(self) -> tuple[str, ...]:
        return tuple(n for n, s in self.structures.items() if s.has_patches)

    @property
    def structures_with_given_cases(self) -> tuple[str, ...]:
        return tuple(n for n, s in self.structures.items() if s.has_cases)

    @property
    def structures_with_drawn_cases(self) -> tuple[str, ...]:
        return tuple(
            n
            for n in self.scored
            if n in self.structures_with_patches and not self.structures[n].has_cases
        )

    def samples_of(self, structure: str, kind: str) -> tuple[Sample, ...]:
        """Rows of the samples table for a structure, of one kind."""
        return self._samples.get((structure, kind), ())

    @cached_property
    def _samples(self) -> dict[tuple[str, str], tuple[Sample, ...]]:
        """All rows by structure and kind: thousands of jobs ask for them."""
        rows: dict[tuple[str, str], tuple[Sample, ...]] = {}
        for row in self.samples:
            rows[row.structure, row.kind] = (*rows.get((row.structure, row.kind), ()), row)
        return rows

    @cached_property
    def _named(self) -> set[tuple[str, str]]:
        """Structure and kind of the images that the samples table names."""
        return {(row.structure, row.kind) for row in self.samples if row.image}

    def published(self, structure: str, kind: str) -> list[ImageFolder | Sample]:
        """The places of a structure's patches or cases: rows that name images, else its folder."""
        named = [row for row in self.samples_of(structure, kind) if row.image]
        folder = self._folder(structure, kind)
        return [*named] if named else [*([folder] if folder else [])]

    def images(self, structure: str, kind: str) -> AnnotatedImages:
        """The settings and sources for converting a structure's patches or cases."""
        archives = {place.archive for place in self.published(structure, kind)}
        if len(archives) != 1:
            raise InputError(
                f"{self._edition_file}: structures.{structure}: expected the images of kind {kind} "
                f"in one archive, found them in {', '.join(sorted(archives)) or 'none'}"
            )
        folder = self._folder(structure, kind)
        return AnnotatedImages(
            structure=structure,
            archive=archives.pop(),
            folder=folder.folder if folder else None,
            rows=self.samples_of(structure, kind),
            voxel_size_um=self.structures[structure].voxel_size_um,
            channel=self.structures[structure].channel,
        )

    @property
    def empty_slots(self) -> dict[str, str]:
        """Archives that images are wanted from and nobody has filled: what to do, by name."""
        wanted = {row.archive for name in self.structures for row in self.unannotated_of(name)}
        for kind, names in (
            ("patch", self.structures_with_patches),
            ("case", self.structures_with_given_cases),
        ):
            wanted |= {place.archive for name in names for place in self.published(name, kind)}
        return {
            name: self.archives[name].note or "name a source in the config"
            for name in sorted(wanted)
            if self.archives[name].kind == "slot"
        }

    def place(self, archive: str) -> ArchivePlace:
        """Where an archive's files lie: a local one's own folder, else below the results."""
        source = self.archives[archive]
        if not source.is_read_in_place:
            return ArchivePlace(folder=self.layout.archive(archive))
        if source.folder is None:
            raise InputError(
                f"config: archives.{archive}.folder: expected a folder (kind local), found none"
            )
        return ArchivePlace(folder=source.folder, links=source.links or ())

    def _folder(self, structure: str, kind: str) -> ImageFolder | None:
        if (structure, kind) in self._named:
            return None
        spec = self.structures[structure]
        return spec.patches if kind == "patch" else spec.cases

    def unannotated_of(self, structure: str) -> tuple[Sample, ...]:
        """Rows of a structure's volumes, then of its collections."""
        kinds = ("volume", "collection")
        return tuple(row for kind in kinds for row in self.samples_of(structure, kind))

    def volume(self, structure: str, sample: str, kind: str = "volume") -> Sample | None:
        """The row of a volume, or of a collection."""
        rows = self.samples_of(structure, kind)
        return next((row for row in rows if row.sample == sample), None)

    def removes_planes(self, volume: Sample) -> bool:
        """Whether a volume's planes are deleted after conversion: downloaded ones, on request."""
        return self.config.convert.remove_planes and self.archives[volume.archive].is_downloaded

    def channel(self, sample: Sample) -> int:
        """The channel that networks see of an image."""
        return self.structures[sample.structure].channel

    def source(self, structure: str) -> Source:
        """The annotated patches of a structure, as a training reads them."""
        layout = self.layout
        return Source(
            structure,
            Path(layout.patches(structure)),
            Path(layout.split(structure)),
            self.structures[structure].channel,
        )

    def volumes(self, group: str) -> list[Sample]:
        """Rows of the volumes and collections that a pretraining group learns from."""
        return [
            row
            for name, structure in self.structures.items()
            if group in (structure.group, ONE_MODEL)
            for row in self.unannotated_of(name)
            if row.is_trained_on
        ]

    def learnt_from(self, method: str, group: str, pretext: str) -> str:
        """The group whose volumes an encoder of `group` is pretrained on: itself, or all."""
        settings = self.methods[method].recipe.pretexts[pretext]
        return ONE_MODEL if settings.groups == "all" else group

    def volumes_to_learn_from(
        self, method: str, group: str, pretext: str, seed: int
    ) -> list[Sample]:
        """Rows of the volumes that an encoder is pretrained on: its group's, or as its recipe says.

        Where the recipe names a number, the seed draws them; a smaller draw is part of every larger
        one. Raises InputError where a recipe wants more volumes than there are.
        """
        rows = self.volumes(self.learnt_from(method, group, pretext))
        number = self.methods[method].recipe.pretexts[pretext].volumes
        if number is None:
            return rows
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
        return targets_of(self.structures, self.scored, self.config.tracks, self._edition_file)

    @cached_property
    def _selection(self) -> Selection:
        overrides = layer(self.edition.recipe_overrides, self.config.recipe_overrides)
        asked = self.config.model_copy(update={"recipe_overrides": overrides})
        return select_methods(asked, self.root)

    @property
    def methods(self) -> dict[str, Method]:
        """Methods in force by name: every file of config/methods, or those that config names."""
        return self._selection.methods

    @property
    def left_out(self) -> list[LeftOut]:
        """Methods that cannot take part, and why."""
        return self._selection.left_out

    def leave_out(self, name: str, reason: str) -> None:
        """Exclude a method whose fault was found only after its file had been read."""
        del self.methods[name]
        self.left_out.append(LeftOut(name, reason))

    def check_named_methods(self) -> None:
        """Raise InputError where the config names a method that cannot take part."""
        for left_out in self.left_out:
            if self.config.methods != "all":
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
        predictions = self.methods[method].settings["predictions"]
        return self.root / Path(predictions).expanduser()

    def inits(self, method: str) -> tuple[str, ...]:
        """How a recipe's models start: from scratch, pretexts, packs, as the config admits."""
        admitted = self.config.inits
        known = (*WITHOUT_ENCODER, *self.methods[method].pretexts, *self.packs(method))
        default = tuple(init for init in known if init == "scratch" or init not in WITHOUT_ENCODER)
        return default if admitted == "all" else tuple(i for i in known if i in admitted)

    def packs(self, method: str) -> dict[str, dict[str, str]]:
        """Encoders made elsewhere that a recipe may start from: init -> group -> pack."""
        given = self.config.packs.get(method, {})
        return {f"{PACKED}{name}": groups for name, groups in given.items()}

    @property
    def out_of_competition(self) -> tuple[str, ...]:
        """Inits that the edition's rule excludes: those from packs, where it has given data only.

        A pack of an own pretraining on the given data is one of them too: nobody else can tell.
        """
        if not self.edition.given_data_only:
            return ()
        given = {init for method in self.recipes for init in self.packs(method)}
        admitted = {init for method in self.recipes for init in self.inits(method)}
        return tuple(sorted(given & admitted))

    @property
    def of_other_data(self) -> tuple[str, ...]:
        """Methods that say they learnt from other images, and votes that such a method joins."""
        own = {n for n, m in self.methods.items() if m.about.capabilities.other_data}

        def joins_one(settings: Mapping[str, Any]) -> bool:
            return any(
                member.get("method") in own or str(member.get("init")).startswith(PACKED)
                for member in settings.get("members", ())
                if isinstance(member, Mapping)
            )

        return tuple(n for n, m in self.methods.items() if n in own or joins_one(m.settings))

    @property
    def learning_without_labels(self) -> list[str]:
        """Methods that learn from unannotated images, whatever their models start from."""
        return [
            name
            for name, method in self.methods.items()
            if method.about.capabilities.unannotated
            and (method.recipe.finetune.collaboration if method.recipe else method.has_one_run)
        ]

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
        chosen = self.methods[method]
        if chosen.has_one_run:
            return [Run()]
        inits = self.inits(method) if chosen.is_recipe else chosen.about.inits
        tracks = [t.track for t in self.targets.values() if structure in t.segments]
        models = [
            Run(init, str(budget), fold, seed, track)
            for track in tracks
            for init in inits
            for budget in self.config.budgets
            for fold in range(self.config.folds)
            for seed in self.config.seeds
        ]
        if not (self.config.predict.ensemble and chosen.is_recipe):
            return models
        if self.config.folds * len(self.config.seeds) == 1:
            raise InputError(
                "config: predict.ensemble: expected several folds or seeds to join, found one of "
                "each (add seeds, or set it to false)"
            )
        return [*models, *dict.fromkeys(run.ensemble() for run in models)]

    def members(self, ensemble: Run) -> list[Run]:
        """The runs whose models an ensemble joins: all folds and seeds of its init and budget."""
        return [
            ensemble.member(fold, seed)
            for fold in range(self.config.folds)
            for seed in self.config.seeds
        ]

    def structures_of(self, method: str) -> tuple[str, ...]:
        """Scored structures that a method segments; left-out twins are for recipes alone."""
        claimed = (n for n in self.scored if self.methods[method].segments(self.structures[n]))
        recipe = self.methods[method].is_recipe
        return tuple(n for n in claimed if recipe or not self.structures[n].left_out)

    def segmenting_run(self, method: str) -> Run:
        """The run whose model segments whole volumes: all patches, first fold and seed.

        Raises InputError where `segment.init` is no init of the method.
        """
        inits = self.inits(method)
        chosen = self.config.segment.init
        if chosen == "auto":
            chosen = next((init for init in inits if init not in WITHOUT_ENCODER), inits[0])
        if chosen not in inits:
            raise InputError(
                f"config: segment.init: expected auto or one of {', '.join(inits)} for {method}, "
                f"found {chosen!r}"
            )
        return Run(chosen, "all", 0, self.config.seeds[0])

    def segmenting_target(self, structure: str) -> Target:
        """The target whose model segments a structure's volumes: its own, else the one model."""
        own = self.structures[structure].target
        return self.targets[own if own in self.targets else ONE_MODEL]

    def segmented_volumes(self) -> list[Sample]:
        """Rows of all volumes that a recipe can segment."""
        return [
            row
            for name, structure in self.structures.items()
            if structure.target in self.targets or ONE_MODEL in self.targets
            for row in self.samples_of(name, "volume")
        ]

    @property
    def brain_methods(self) -> tuple[str, ...]:
        """Recipes whose masks of all volumes the report links.

        Raises InputError where `segment.methods` names anything but a recipe that takes part.
        """
        return self._segmenting("methods")

    @property
    def shown_on_volumes(self) -> tuple[str, ...]:
        """Recipes whose mask of a volume of each structure stands in the report's viewer.

        Raises InputError where `segment` names anything but recipes that take part.
        """
        return tuple(dict.fromkeys([*self.brain_methods, *self._segmenting("shown")]))

    def _segmenting(self, key: str) -> tuple[str, ...]:
        named = getattr(self.config.segment, key)
        for name in named:
            if name not in self.recipes:
                raise InputError(
                    f"config: segment.{key}: expected recipes that take part, found {name!r}"
                    f"{nearest(name, list(self.recipes))}"
                )
        return named

    def ranking_groups(self) -> dict[str, list[str]]:
        """The groups of structures whose mean ranks are averaged; left-out twins are in none."""
        scored = [self.structures[name] for name in self.scored]
        return ranking_groups(self.edition, scored, self._edition_file)

    def container_slugs(self, structure: str) -> dict[str, str | None]:
        """Folders below /input and /output of the edition's containers, and how it calls them."""
        return container_slugs(self.edition, self.structures[structure], self._edition_file)

    @property
    def other_acquisitions(self) -> tuple[str, ...]:
        """Structures that show what a learnt one does, acquired in another way."""
        structures = self.edition.structures.items()
        return tuple(name for name, described in structures if described.other_acquisition_of)

    def ranking_settings(self) -> dict[str, Any]:
        """What ranking and statistics depend on, as plain data."""
        return {
            **self.config.ranking.plain(),
            "rule": self.edition.ranking.rule,
            "groups": self.ranking_groups(),
            "leaderboards": {
                name: leaderboard.plain()
                for name, leaderboard in further_leaderboards(
                    self.edition, self._edition_file
                ).items()
            },
            "without_labels": self.learning_without_labels,
            "of_other_data": self.of_other_data,
            "metric_profile": self.edition.metric_profile,
            "analysis": self.analysis.plain(),
            "design": self.design.plain(),
            "controls": self.controls(),
            "exact_labels": self.synthetic,
            "other_acquisitions": self.other_acquisitions,
        }

    def controls(self) -> dict[str, Any]:
        """The declared controls by name, as plain data.

        Raises InputError where one names a recipe, an init or a structure that does not take part.
        """
        for name, control in self.config.controls.items():
            where = f"config: controls.{name}"
            if control.method not in self.recipes:
                hint = nearest(control.method, list(self.recipes))
                raise InputError(f"{where}.method: no recipe {control.method!r} takes part{hint}")
            inits = self.inits(control.method)
            for key in ("init", "against"):
                if (init := getattr(control, key)) not in inits:
                    raise InputError(
                        f"{where}.{key}: expected one of {', '.join(inits)}, found {init!r} "
                        "(config: inits)"
                    )
            for structure in control.structures:
                if structure not in self.scored:
                    hint = nearest(structure, list(self.scored))
                    raise InputError(f"{where}.structures: no structure {structure!r}{hint}")
        return {name: control.plain() for name, control in self.config.controls.items()}

    @property
    def analysis(self) -> Analysis:
        """The declared analysis; where it names no structures, those of the edition are filled in.

        Raises InputError where it names a structure that the edition does not have.
        """
        declared = self.config.analysis
        for key, named in (
            ("primary.structures", declared.primary.structures),
            ("unseen", declared.unseen),
        ):
            for name in named or ():
                if name not in self.structures:
                    hint = nearest(name, list(self.structures))
                    raise InputError(f"config: analysis.{key}: no structure {name!r}{hint}")
        scored = [self.structures[name] for name in self.scored]
        return declared.resolved(
            seen=[structure.name for structure in scored if structure.seen],
            unseen=[structure.name for structure in scored if not structure.seen],
        )

    @property
    def design(self) -> Design:
        """What the declared analysis is asked of."""
        tested: dict[str, tuple[str, ...]] = {}
        for row in self.samples:
            if row.kind == "case" or (row.kind == "patch" and row.role == "test"):
                image = f"{row.specimen}/{row.sample}"
                tested[row.structure] = (*tested.get(row.structure, ()), image)
        return Design(
            edition=self.config.edition,
            tested={name: tuple(sorted(tested[name])) for name in self.scored if name in tested},
            seeds=tuple(self.config.seeds),
            folds=self.config.folds,
        )

    @property
    def synthetic(self) -> bool:
        """Whether images, and with them their labels, are drawn by this workflow."""
        return any(archive.kind == "phantom" for archive in self.archives.values())

    @property
    def note(self) -> str | None:
        """The note beside all scores: that these are not the challenge's own test cases."""
        notes = []
        if self.config.test_cases == "held-out":
            notes.append("scored on a held-out split of the annotated patches, not on hidden cases")
        if self.synthetic:
            notes.append("synthetic images")
        if self.out_of_competition or (self.edition.given_data_only and self.of_other_data):
            notes.append(
                f"{OUTSIDE} out of competition: learnt from other images or starts from weights "
                "made elsewhere, and the edition admits given data only"
            )
        return "; ".join(notes) or None

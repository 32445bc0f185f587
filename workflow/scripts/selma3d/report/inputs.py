"""Files that figures, tables and the report are made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..challenge import Challenge, Run
from ..challenge.display import Display, Entrant
from ..challenge.layout import Layout
from ..challenge.participants import encoders_of, expected_runs, is_shown, models_of
from ..challenge.samples import Sample
from ..system.tables import read_tsv
from .figures import FIGURES
from .page_contents import PANEL, STACKS, TRAINING, TRAININGS
from .shown import Requested, ShownCases, ShownVolume, Trainings
from .tables import TABLES

FORMS = ("svg", "pdf", "png")


class ReportInputs:
    """What is shown of a challenge: all that is asked for; of a partial one, what exists so far."""

    def __init__(self, challenge: Challenge, layout: Layout, display: Display) -> None:
        self.challenge = challenge
        self.layout = layout
        self.display = display
        self._expected = expected_runs(challenge)

    def figures(self, reported: Path) -> list[str]:
        """Names of a track's figures.

        reported: the edition's table of published scores, which need not be there; they are
        compared where it has any.
        """
        has_reported = reported.is_file() and len(read_tsv(reported)) > 0
        return [name for name in FIGURES.names if name != "reported" or has_reported]

    def tables(self) -> list[str]:
        """Names of a track's tables: those of controls and further leaderboards where some are."""
        challenge = self.challenge
        asked = {
            "controls": challenge.config.controls,
            "further-leaderboards": challenge.edition.ranking.leaderboards,
        }
        return [name for name in TABLES.names if asked.get(name, True)]

    def panels(self) -> dict[tuple[str, str], ShownCases]:
        """What the panel of each structure shows, by track and structure."""
        expected = set(self._expected[["track", "structure"]].itertuples(index=False, name=None))
        return {
            (track, structure): self.cases(structure, track)
            for track in self.challenge.config.tracks
            for structure in self.challenge.scored
            if (track, structure) in expected
        }

    def gallery(self) -> list[ShownCases]:
        """What the cards of methods show: all structures on the first track."""
        return [
            self.cases(structure, self.challenge.config.tracks[0])
            for structure in self.challenge.scored
            if not self.challenge.structures[structure].left_out
        ]

    def cases(self, structure: str, track: str) -> ShownCases:
        """A structure's cases and predictions: of each entrant, one run with every patch."""
        spec = self.challenge.structures[structure]
        predictions: dict[Entrant, Path] = {}
        for method in self.challenge.methods:
            if structure in self.challenge.structures_of(method):
                for run in self.challenge.runs(method, structure):
                    path = self.layout.prediction(method, structure, run)
                    if self._stands_for_its_entrant(run, track) and is_shown(self.layout, path):
                        predictions[method, run.init] = Path(path)
        return ShownCases(
            structure, Path(self.layout.cases(spec.cases_of)), spec.channel, predictions
        )

    def _stands_for_its_entrant(self, run: Run, track: str) -> bool:
        """Whether it is the first fold and seed of all patches on a track, or their ensemble."""
        if run.init == Run.init:
            return True
        first = (run.fold, run.seed) == (0, self.challenge.config.seeds[0])
        return run.track == track and run.budget == "all" and (first or run.is_ensemble)

    def volumes(self) -> list[ShownVolume]:
        """The first volume of each structure, with the masks that the configuration asks for.

        Only volumes that are there anyway: that are learnt from, or segmented. Raises InputError
        where the configuration names a recipe that does not take part.
        """
        challenge, layout = self.challenge, self.layout
        methods = challenge.shown_on_volumes
        segmented = set(challenge.segmented_volumes()) if methods else set()
        usable = self._learnt_from() | segmented
        found = []
        for name, structure in challenge.structures.items():
            rows = [
                row
                for row in challenge.samples_of(name, "volume")
                if row in usable and is_shown(layout, layout.volume(name, row.sample))
            ]
            for row in rows[:1]:
                masks = {
                    (method, challenge.segmenting_run(method).init): Path(path)
                    for method in (methods if row in segmented else ())
                    for path in (layout.segmented(method, name, row.sample),)
                    if is_shown(layout, path)
                }
                path = Path(layout.volume(name, row.sample))
                found.append(ShownVolume(name, row.sample, path, structure.channel, masks))
        return found

    def exported(self, volumes: Iterable[ShownVolume]) -> list[str]:
        """Such volumes as OME-Zarr: of each the image, reduced, and then its masks."""
        found = []
        for one in volumes:
            masks = [
                self.layout.exported(".ome.zarr", method, one.structure, one.sample)
                for method, _ in one.masks
            ]
            found.append(self.layout.exported_volume(one.structure, one.sample))
            found += [path for path in masks if is_shown(self.layout, path)]
        return found

    def _learnt_from(self) -> set[Sample]:
        """Rows of the volumes and collections that encoders are pretrained on."""
        challenge = self.challenge
        return {
            row
            for encoder in encoders_of(challenge)
            if encoder.pretext in challenge.methods[encoder.method].pretexts
            for row in challenge.volumes_to_learn_from(
                encoder.method, encoder.group, encoder.pretext, encoder.seed
            )
        }

    def requested(self) -> Requested:
        """How many images and models the configuration asks for."""
        challenge = self.challenge
        sources = [structure.name for structure in challenge.structures.values() if structure.seen]
        encoders = list(encoders_of(challenge))
        volumes = {(row.structure, row.sample) for row in self._learnt_from()}
        return Requested(
            volumes=len(volumes),
            structures=len(sources),
            encoders=len(encoders),
            models=len(list(models_of(challenge))),
            predictions=len(self._expected.drop_duplicates(["method", "structure", "run"])),
        )

    def histories(self) -> dict[str, list[Trainings]]:
        """Histories by kind of training: of encoders, of models with every patch."""
        found: dict[str, dict[tuple[Entrant, str], list[str]]] = {kind: {} for kind in TRAININGS}
        for encoder in encoders_of(self.challenge):
            key = ((encoder.method, encoder.pretext), encoder.group)
            path = self.layout.encoder_history(encoder)
            if is_shown(self.layout, path):
                found["pretraining"].setdefault(key, []).append(path)
        for method, target, run in models_of(self.challenge):
            path = self.layout.model_history(method, target, run)
            if run.budget == "all" and is_shown(self.layout, path):
                found["finetuning"].setdefault(((method, run.init), target.name), []).append(path)
        return {
            kind: [Trainings(*key, tuple(paths)) for key, paths in histories.items()]
            for kind, histories in found.items()
            if histories
        }


def panel_files(layout: Layout, panels: Sequence[tuple[str, str]], form: str) -> list[str]:
    """The panels of (track, structure) pairs, in one form."""
    return [layout.figure(f"{PANEL}{structure}", track, form) for track, structure in panels]


def stack_files(layout: Layout, panels: Iterable[tuple[str, str]]) -> list[str]:
    """The viewer's stacks of (track, structure) pairs."""
    return [layout.figure(f"{STACKS}{structure}", track, "json") for track, structure in panels]


def volume_stack_files(layout: Layout, volumes: Iterable[ShownVolume]) -> list[str]:
    """The viewer's stacks of whole volumes."""
    return [layout.volume_stack(volume.structure) for volume in volumes]


def volume_images(layout: Layout, volumes: Iterable[ShownVolume]) -> list[str]:
    """Whole volumes as reduced images for other programs."""
    return [layout.exported_volume(volume.structure, volume.sample) for volume in volumes]


def training_files(layout: Layout, kinds: Mapping[str, object], form: str) -> list[str]:
    """The figures of training histories, in one form."""
    return [layout.figure(kind, TRAINING, form) for kind in kinds]

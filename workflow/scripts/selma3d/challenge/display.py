"""Titles, colours and order of entrants and structures, and notes shown beside results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, PlainSerializer

from ..system.records import Plain
from .run import NO_INIT, is_ensemble, member_init
from .structure import original, relation

if TYPE_CHECKING:
    from .challenge import Challenge

OUTSIDE = "†"  # beside what the edition's rule excludes
Entrant = tuple[str, str]  # method and init: a row of the leaderboard
# A file an entrant; as plain data, which has no pairs for keys, a list of [method, init, file].
EntrantFiles = Annotated[
    Mapping[Entrant, Path],
    BeforeValidator(lambda pairs: {(method, init): file for method, init, file in pairs}),
    PlainSerializer(lambda files: [[*entrant, str(file)] for entrant, file in files.items()]),
]


@dataclass(frozen=True)
class Display(Plain):
    """How the challenge is shown, the same in every figure, every table and the report.

    methods: titles by name, in alphabetical order. colours: of the methods that have one.
    structures: titles by name, in the edition's order. note: what a reader must know wherever
    scores are shown. partial: what an unfinished challenge lacks, a line a method and structure.
    out_of_competition: inits that the edition's rule excludes; methods_out_of_competition: methods,
    whatever they start from. other_acquisitions: structures that show what a learnt one does, by
    another microscope, staining or laboratory.
    """

    methods: Mapping[str, str] = field(default_factory=dict)
    colours: Mapping[str, str] = field(default_factory=dict)
    structures: Mapping[str, str] = field(default_factory=dict)
    note: str | None = None
    partial: tuple[str, ...] = ()
    out_of_competition: tuple[str, ...] = ()
    methods_out_of_competition: tuple[str, ...] = ()
    other_acquisitions: tuple[str, ...] = ()

    @classmethod
    def of(cls, challenge: Challenge, partial: Iterable[str] = ()) -> Display:
        """The display of a challenge of which `partial` is missing."""
        files = {name: method.about for name, method in challenge.methods.items()}
        structures = challenge.edition.structures
        return cls(
            methods={name: file.title for name, file in files.items()},
            colours={name: file.colour for name, file in files.items()},
            structures={name: structure.title for name, structure in structures.items()},
            note=challenge.note,
            partial=tuple(partial),
            out_of_competition=challenge.out_of_competition,
            methods_out_of_competition=(
                challenge.of_other_data if challenge.edition.given_data_only else ()
            ),
            other_acquisitions=challenge.other_acquisitions,
        )

    def method(self, name: str) -> str:
        """Title of a method; its name where it has none."""
        return self.methods.get(name, name)

    def entrant(self, method: str, init: str) -> str:
        """Title of a leaderboard row, such as "U-Net · masked"."""
        title = self.method(method)
        start = member_init(init) if is_ensemble(init) else init
        if start in self.out_of_competition or method in self.methods_out_of_competition:
            title = f"{title} {OUTSIDE}"
        if is_ensemble(init):
            return f"{title} · {member_init(init)}, ensemble"
        return title if init == NO_INIT else f"{title} · {init}"

    def in_training(self, structure: str, seen: bool) -> str:
        """What a structure is to the models that segment it: seen, unseen, another acquisition."""
        return relation(structure, seen, self.other_acquisitions)

    def structure(self, name: str) -> str:
        """Title of a structure, its name if it has none; a left-out twin says that it is one."""
        twin_of = original(name)
        if name not in self.structures and twin_of != name and twin_of in self.structures:
            return f"{self.structures[twin_of]} (left out of training)"
        return self.structures.get(name, name)

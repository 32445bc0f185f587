"""Specification of a synthetic archive, as an edition file gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from ...challenge.checking import Model, check

Length = Annotated[int, Field(gt=0)]
Micrometres = Annotated[float, Field(gt=0)]
Shape = tuple[Length, Length, Length]
Count = Annotated[int, Field(ge=0)]


class Cohort(Model):
    """Annotated specimens of one role."""

    specimens: Count = Field(description="number of animals")
    patches_per_specimen: Count = Field(description="patches of each")


NO_ANIMALS = Cohort(specimens=0, patches_per_specimen=0)


class StructureSpec(Model):
    """One structure of the archive."""

    name: str = Field(description="the key that it stands under")
    kind: Literal["vessel", "cell", "nucleus", "plaque", "microglia"] = Field(
        description="what is drawn"
    )
    channels: int = Field(1, ge=1, le=2, description="2 for vessels only: WGA and Evans blue")
    folder: str = Field(description="of its patches; by default named as the structure")
    patch_shape: Shape = Field(description="z, y, x in voxels")
    volume_shape: Shape | None = Field(None, description="z, y, x in voxels; needed for volumes")
    voxel_size_um: tuple[Micrometres, Micrometres, Micrometres] = Field(description="z, y, x")
    training: Cohort = Field(NO_ANIMALS, description="the last of several is for validation")
    test: Cohort = Field(NO_ANIMALS, description="imaged under other conditions")
    volumes: Count = Field(0, description="unannotated volumes")
    light: float = Field(
        1.0, gt=0, description="relative to good images; with a hundredth of it, noise hides form"
    )
    distractors: float = Field(
        1.0, ge=0, description="relative number of objects that are bright and not labelled"
    )
    volumes_as_test: bool = Field(
        False,
        description="whether volumes, but one of an annotated specimen, are imaged as the test "
        "cases are, and so hold what the annotated patches lack",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.channels > 1 and self.kind != "vessel":
            raise ValueError(f"channels: expected 1 for {self.kind}, found {self.channels}")
        if self.volumes and self.volume_shape is None:
            raise ValueError(f"volume_shape: expected for {self.volumes} volumes, found none")
        return self


class PhantomSpec(Model):
    """A synthetic archive."""

    structures: Annotated[dict[str, StructureSpec], Field(min_length=1)] = Field(
        description="what is drawn, by the structure's name"
    )
    seed: int = Field(0, description="the same seed gives the same bytes")


def read_spec(spec: Mapping[str, Any]) -> list[StructureSpec]:
    """The structures of a specification as an edition file holds it. Raises InputError."""
    named = {
        name: {"name": name, "folder": name, **entry}
        for name, entry in (spec.get("structures") or {}).items()
    }
    return list(check(PhantomSpec, {**spec, "structures": named}, "phantom").structures.values())

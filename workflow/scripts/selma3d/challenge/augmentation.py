"""Augmentation as a recipe sets it: operations, their probabilities and strengths."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from .checking import Model, NotNegative, Positive, Share


class Operation(Model):
    """One change of a window; a number alone is its probability."""

    probability: Share = Field(0.0, description="share of the windows that are changed so")

    @model_validator(mode="before")
    @classmethod
    def _of_probability(cls, given: Any) -> Any:
        return {"probability": given} if isinstance(given, int | float) else given


class Rotate(Operation):
    degrees: NotNegative = Field(30.0, description="largest angle in the plane, degrees")
    zoom: Share = Field(0.1, description="largest relative change of size with it")


class Zoom(Operation):
    low: Positive = Field(0.8, description="least magnification")
    high: Positive = Field(2.5, description="greatest magnification")


class Elastic(Operation):
    amplitude: NotNegative = Field(3.0, description="of the shifts in the plane, voxels")
    amplitude_z: NotNegative = Field(1.0, description="of the shifts across planes, voxels")
    spacing: Positive = Field(16.0, description="between independent shifts, voxels")


class Gamma(Operation):
    low: Positive = Field(0.7, description="least exponent")
    high: Positive = Field(1.5, description="greatest exponent")


class Curve(Operation):
    sd: NotNegative = Field(0.5, description="of the logarithm of the slope, between seven knots")


class Contrast(Operation):
    low: NotNegative = Field(0.75, description="least factor on the distance from the mean")
    high: NotNegative = Field(1.33, description="greatest factor on the distance from the mean")


class Brightness(Operation):
    sd: NotNegative = Field(0.2, description="greatest shift, in units of the normalised image")


class Sharpen(Operation):
    strength: NotNegative = Field(1.5, description="most that is added of what a blur takes away")


class Gradient(Operation):
    strength: NotNegative = Field(0.3, description="relative change from the centre to a border")


class BlurZ(Operation):
    low: Positive = Field(0.3, description="least sigma, planes")
    high: Positive = Field(1.2, description="greatest sigma, planes")


class Stripes(Operation):
    strength: NotNegative = Field(0.15, description="relative depth of the shadows")


class MissingPlanes(Operation):
    planes: NotNegative = Field(2.0, description="at most so many, each showing its neighbour")


class Noise(Operation):
    sd: NotNegative = Field(0.2, description="greatest, in units of the normalised image")


class Augmentation(Model):
    """Random changes of the windows that are learnt from, each with a probability of its own."""

    flip: Operation = Field(Operation(), description="mirror each axis with a chance of one half")
    rotate90: Operation = Field(
        Operation(), description="turn in the plane by 90, 180 or 270 degrees"
    )
    rotate: Rotate = Field(Rotate(), description="turn in the plane")
    zoom: Zoom = Field(Zoom(), description="magnify along all axes: cells of other sizes")
    elastic: Elastic = Field(Elastic(), description="shift voxels smoothly")
    gamma: Gamma = Field(
        Gamma(), description="raise intensities to a power, within each window's range"
    )
    curve: Curve = Field(
        Curve(), description="map intensities by a random rising curve: another exposure"
    )
    contrast: Contrast = Field(Contrast(), description="scale the distance from each window's mean")
    brightness: Brightness = Field(Brightness(), description="shift all intensities")
    gradient: Gradient = Field(
        Gradient(), description="let illumination fall off along a random direction"
    )
    blur_z: BlurZ = Field(BlurZ(), description="blur along the detection axis")
    sharpen: Sharpen = Field(
        Sharpen(), description="add what a blur takes away: better optics, or a deconvolution"
    )
    stripes: Stripes = Field(Stripes(), description="shadows along the light sheet")
    missing_planes: MissingPlanes = Field(
        MissingPlanes(), description="repeat the plane before, as after a dropped frame"
    )
    noise: Noise = Field(Noise(), description="add normal noise")

    @property
    def operations(self) -> dict[str, Operation]:
        """The operations that ever happen, by name."""
        every = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: operation for name, operation in every.items() if operation.probability}

    def only(self, names: Collection[str]) -> Augmentation:
        """These operations alone, as they are set here."""
        kept = {name: each for name, each in self.operations.items() if name in names}
        return Augmentation(**kept)

    @model_serializer(mode="wrap")
    def _without_what_never_happens(
        self, dump: SerializerFunctionWrapHandler
    ) -> dict[str, dict[str, float]]:
        return {name: each for name, each in dump(self).items() if each["probability"]}

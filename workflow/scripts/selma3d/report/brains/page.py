"""The page of a segmented brain: one HTML file with pictures, numbers, settings and warnings."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from matplotlib.figure import Figure

from ...images import InstanceFile, VolumeFile
from ...system.atomic import write_table
from ...system.errors import InputError
from ...system.tables import read_tsv
from ..data_urls import url_of
from ..drawing import canvas
from ..table_formats import Printed
from ..templates import write_page
from .facts import LearntFrom, Named, summary_of, warnings_of
from .numbers import number, share
from .pictures import (
    THIN,
    Scene,
    draw_distributions,
    draw_planes,
    draw_projections,
)

DPI = 220
MOST_REGIONS = 40
DISTRIBUTIONS = (
    "Sizes and depth",
    "Left, how large the objects are; dashed, the median. Right, where they lie along z: steps or "
    "slopes may come from the imaging.",
)


@dataclass(frozen=True)
class BrainFiles:
    """The files that a page is made from, and of training: the model's history, its patches."""

    volume: Path
    mask: Path
    labels: Path
    objects: Path
    vessels: Path
    regions: Path
    density: Path
    history: Path
    training: tuple[Path, ...]
    exported: tuple[Path, ...]


def write_brain_page(
    files: BrainFiles,
    named: Named,
    channel: int,
    settings: Mapping[str, Any],
    page: Path,
    summary_table: Path,
) -> None:
    """Write the page of a brain, and its numbers as a table of one row.

    settings: what the mask was made with, for reading. Raises InputError for a file that cannot be
    read.
    """
    objects, vessels, regions = map(read_numbers, (files.objects, files.vessels, files.regions))
    training = LearntFrom.read(files.training)
    with ExitStack() as stack:
        stack.enter_context(canvas.drawing())
        volume = stack.enter_context(VolumeFile(files.volume))
        instances = stack.enter_context(InstanceFile(files.labels))
        scene = Scene(volume, channel, instances, objects)
        summary = summary_of(named, volume, channel, instances, objects, vessels)
        warnings = warnings_of(summary, named, training, objects, instances.unsplit)
        figures = [
            _figure(draw_planes(scene), _about_planes(scene, instances)),
            _figure(draw_projections(scene), _about_projections(scene)),
            _figure(draw_distributions(scene), DISTRIBUTIONS),
        ]
        rows = _settings(files, named, volume, instances, settings)
    write_page(
        page,
        "brain.html.j2",
        ("report.css", "brain.css"),
        named=named,
        answers=_answers(summary, named),
        warnings=warnings,
        figures=figures,
        numbers=_numbers(summary),
        regions=_regions(regions) if len(regions) else None,
        more_regions=max(0, regions["region"].nunique() - MOST_REGIONS),
        settings=rows,
        files=_files(files, page.parent),
    )
    # Warnings stand in the table over all brains, too.
    write_table(pd.DataFrame([summary | {"warnings": " ".join(warnings)}]), summary_table)


def read_numbers(path: Path) -> pd.DataFrame:
    """A table whose texts are kept as they are; an acronym may be NA.

    It may be larger than what strangers hand in: a brain has millions of objects. Raises InputError
    for a file that is no such table.
    """
    try:
        return pd.read_csv(path, sep="\t", keep_default_na=False, na_values="NaN")
    except ValueError as error:
        raise InputError(f"{path}: expected a tab-separated table, found: {error}") from None


def _answers(summary: Mapping[str, Any], named: Named) -> list[str]:
    known = summary["voxel_size_um"] != "unknown"
    objects = f"{number(summary['objects'])} objects"
    if summary["components"] != summary["objects"]:
        objects += f" in {number(summary['components'])} connected components"
    said = [f"{objects}; {number(summary['border_objects'])} of them touch a face of the volume."]
    if known:
        density = (
            f"{number(summary['objects_mm3'])} objects a mm³ of {number(summary['volume_mm3'])} mm³"
        )
        if summary["tissue_share"] < 1:
            density += (
                f"; {number(summary['objects_mm3_tissue'])} a mm³ of the "
                f"{share(summary['tissue_share'])} that are brighter than air"
            )
        said.append(f"{density}.")
    covered = f"The mask covers {share(summary['foreground_share'])} of the volume"
    median = (
        f"{number(summary['median_volume_um3'])} µm³"
        if known
        else f"{number(summary['median_voxels'])} voxels"
    )
    said.append(f"{covered}; the median object has {median}.")
    if named.scored_as == "vessel-like" and known:
        said.append(
            f"{number(summary['length_mm'])} mm of centre line, "
            f"{number(summary['length_mm_mm3'])} mm a mm³."
        )
    return said


NUMBERS = {
    "objects": "Objects",
    "components": "Connected components",
    "border_objects": "Objects at a face of the volume",
    "objects_mm3": "Objects a mm³",
    "objects_mm3_tissue": "… of what is brighter than air",
    "median_voxels": "Median object, voxels",
    "median_volume_um3": "Median object, µm³",
    "foreground_voxels": "Mask, voxels",
    "foreground_share": "Mask, share of the volume",
    "length_mm": "Length of centre lines, mm",
    "length_mm_mm3": "Length a mm³, mm",
    "voxels": "Volume, voxels",
    "volume_mm3": "Volume, mm³",
    "tissue_share": "Brighter than air",
}


def _numbers(summary: Mapping[str, Any]) -> Printed:
    printed = {key: (share if key.endswith("_share") else number) for key in NUMBERS}
    rows = [{"": title, "Value": printed[k](summary[k])} for k, title in NUMBERS.items()]
    return Printed(pd.DataFrame(rows))


def _regions(regions: pd.DataFrame) -> Printed:
    """The regions with most objects, each with its hemispheres side by side."""
    both = regions[regions["hemisphere"] == "both"].set_index("region")
    shown = both.sort_values("objects", ascending=False, kind="stable").head(MOST_REGIONS)
    rows = []
    for region, row in shown.iterrows():
        own = {"Region": f"{row['name']} ({row['acronym']})"}
        for side in ("left", "right"):
            found = regions[(regions["region"] == region) & (regions["hemisphere"] == side)]
            if (regions["hemisphere"] == side).any():
                objects = int(found["objects"].sum())
                own |= {f"Objects, {side}": number(objects)}
        rows.append(
            own
            | {
                "Objects": number(int(row["objects"])),
                "Volume, mm³": number(row["volume_mm3"]),
                "Objects a mm³": number(row["objects_mm3"]),
                "Length a mm³, mm": number(row["length_mm_mm3"]),
            }
        )
    return Printed(pd.DataFrame(rows))


def _settings(
    files: BrainFiles,
    named: Named,
    volume: VolumeFile,
    instances: InstanceFile,
    settings: Mapping[str, Any],
) -> Printed:
    size = volume.voxel_size_um
    history = read_tsv(files.history, "a history", ["name", "value"])
    dice = history.loc[history["name"] == "validation_dice", "value"]
    split = f"{instances.method}, depth {instances.depth:g}"
    rows = {
        "Sample": named.sample,
        "Specimen": named.specimen or "unknown",
        "Group": named.group or "–",
        "Structure": named.structure,
        "Shape (z, y, x)": " × ".join(map(str, volume.shape)),
        "Voxel size (z, y, x)": f"{' × '.join(f'{s:g}' for s in size)} µm" if size else "unknown",
        "SHA-256 of the image": str(volume.file.attrs["sha256"]),
        "Method": named.method,
        "Model": named.run,
        "Best Dice in validation": number(dice.max()) if len(dice) else "–",
        "Objects that touch": "left whole" if instances.method == "components" else split,
        **{name: _readable(value) for name, value in settings.items()},
    }
    return Printed(pd.DataFrame({"": list(rows), "Value": list(rows.values())}), text_columns=2)


def _files(files: BrainFiles, folder: Path) -> list[tuple[str, str]]:
    """What the files beside the page hold, and the links to them."""
    named = {
        "objects, a row each": files.objects,
        "regions": files.regions,
        "lengths and radii, block by block": files.vessels,
        "density map": files.density,
        "mask (HDF5)": files.mask,
        "labels with the numbers of the objects (HDF5)": files.labels,
    }
    for path in files.exported:
        what = "labels" if ".labels." in path.name else "mask"
        named[f"{what} for other programs ({''.join(path.suffixes[-2:])})"] = path
    return [(title, os.path.relpath(path, folder)) for title, path in named.items()]


def _figure(figure: Figure, caption: tuple[str, str]) -> dict[str, str]:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI)
    title, text = caption
    return {"title": title, "caption": text, "source": url_of("image/png", file.getvalue())}


def _about_planes(scene: Scene, instances: InstanceFile) -> tuple[str, str]:
    split = " Objects that touch are split." if instances.method == "watershed" else ""
    return (
        "Planes",
        "Three planes through the part of the volume with most objects, at full resolution, each "
        f"at its own scale: the image above, with outlines of the objects below.{split} The first "
        "axis runs to the right, the second down. Neighbours have different colours, which mean "
        "nothing else. Grey values from the 1st percentile (black) to the 99.9th (white), dim ones "
        "lifted (gamma 0.6).",
    )


def _about_projections(scene: Scene) -> tuple[str, str]:
    thin = all(size <= THIN for size in scene.shape)
    how = "brightest voxel" if thin else f"brightest voxel, or the mean through over {THIN} voxels"
    return (
        "Projections",
        f"The whole volume, seen along each axis, each at its own scale: the {how}, above; below, "
        "in orange where objects are, the stronger the more of them lie behind one another.",
    )


def _readable(value: Any) -> str:
    if isinstance(value, Mapping | Sequence) and not isinstance(value, str):
        return yaml.safe_dump(value, default_flow_style=True, allow_unicode=True).strip()
    return str(value)

"""Overview of a structure's annotated patches: a figure and a table that show misread files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import cc3d
import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from ..system.atomic import publish, write_table
from . import PatchFile

SHOWN = 6
WIDTH_IN = 183 / 25.4  # two columns of a journal
NAMED = 40  # bars that have room for the name of a patch
OUTLINE, BACKGROUND = "#e66100", "#8a8a8a"
STYLE = {
    "font.size": 6,
    "axes.titlesize": 6,
    "svg.fonttype": "none",
    "svg.hashsalt": "selma3d",
    "axes.linewidth": 0.5,
    "text.parse_math": False,  # the name of a patch is text, whatever is in it
}


@dataclass(frozen=True)
class PatchSummary:
    """One row of the overview table; sizes in voxels, grey values as stored.

    `foreground_box` is the share of the patch inside the foreground's bounding box: small where
    only a part was labelled. `foreground_above_p99` is the share of foreground voxels brighter
    than the whole patch's 99th percentile. What needs a mask is NaN (or empty) where the
    truth is hidden.
    """

    id: str
    specimen: str
    shape: str
    voxel_size_um: str
    dtype: str
    mask_values: str
    foreground: float
    foreground_box: float
    components: float
    median_component_voxels: float
    largest_component_voxels: float
    foreground_median: float
    background_median: float
    foreground_above_p99: float


def overview(
    h5: str | Path,
    structure: str,
    figure_paths: Mapping[str, Path],
    table_path: str | Path,
    channel: int,
) -> None:
    """Draw and tabulate a `patches.h5` or `cases.h5`, the channel that networks see of it.

    The figure, a file a format (`figure_paths`: `png`, `svg`), shows up to six patches spread
    over the ids: the central plane, the plane with most foreground and two maximum projections,
    all with the mask's outline, and grey values inside and outside the mask; below, foreground
    shares and component sizes of all patches. The table has a row a patch (`PatchSummary`).
    """
    with PatchFile(h5) as patches, mpl.rc_context(STYLE):
        sizes = {patch: component_sizes(patches.mask(patch)) for patch in patches.ids}
        rows = [summarise(patches, patch, sizes[patch], channel) for patch in patches.ids]
        write_table(pd.DataFrame([asdict(row) for row in rows]), table_path)
        figure = draw(patches, structure, rows, sizes, channel)
        for suffix, path in figure_paths.items():
            with publish(path) as temporary:
                # Without a date the same data give the same file.
                metadata = {"Date": None} if suffix == "svg" else None
                figure.savefig(temporary, dpi=150, format=suffix, metadata=metadata)


def component_sizes(mask: np.ndarray | None) -> np.ndarray:
    """Voxels of each 26-connected component of a (Z,Y,X) mask; none without a mask."""
    if mask is None:
        return np.empty(0, dtype=np.int64)
    labels = cc3d.connected_components(mask, connectivity=26)
    return np.bincount(labels.ravel())[1:]


def summarise(patches: PatchFile, patch: str, sizes: np.ndarray, channel: int) -> PatchSummary:
    """The overview table's row of one patch; `sizes` are those of its components."""
    image, mask = patches.image(patch, channel), patches.mask(patch)
    voxel_size_um = patches.voxel_size_um(patch)
    inside = image[mask > 0] if mask is not None else np.empty(0)
    outside = image[mask == 0] if mask is not None else image.ravel()
    bright = patches.intensity(patch, channel).percentiles["99"]
    return PatchSummary(
        id=patch,
        specimen=patches.specimen(patch),
        shape="×".join(map(str, image.shape)),
        voxel_size_um=(
            "unknown" if voxel_size_um is None else "×".join(f"{size:g}" for size in voxel_size_um)
        ),
        dtype=str(image.dtype),
        mask_values=str(patches.attributes(patch).get("source_mask_values", "")),
        foreground=np.nan if mask is None else float(mask.mean()),
        foreground_box=_box_share(mask),
        components=np.nan if mask is None else len(sizes),
        median_component_voxels=_median(sizes),
        largest_component_voxels=float(sizes.max()) if len(sizes) else np.nan,
        foreground_median=_median(inside),
        background_median=_median(outside),
        foreground_above_p99=float((inside > bright).mean()) if len(inside) else np.nan,
    )


def draw(
    patches: PatchFile,
    structure: str,
    rows: list[PatchSummary],
    sizes: dict[str, np.ndarray],
    channel: int,
) -> Figure:
    """The overview figure: a row for each patch shown, and one that sums up all."""
    chosen = sorted({round(i) for i in np.linspace(0, len(rows) - 1, min(SHOWN, len(rows)))})
    figure = Figure(figsize=(WIDTH_IN, 1.45 * (len(chosen) + 1) + 0.3), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(len(chosen) + 1, 5, width_ratios=[1, 1, 1, 1, 1.2])
    figure.suptitle(
        f"{structure}, channel {channel}: {len(chosen)} of {len(rows)} patches, "
        "outline of the mask in orange",
        fontsize=8,
    )
    for line, number in enumerate(chosen):
        axes = [figure.add_subplot(grid[line, column]) for column in range(5)]
        _draw_patch(axes, patches, rows[number], channel)
    axes[-1].set_xlabel("grey value")
    _draw_shares(figure.add_subplot(grid[-1, :3]), rows)
    _draw_sizes(figure.add_subplot(grid[-1, 3:]), np.concatenate(list(sizes.values())))
    return figure


def _draw_patch(axes: list[Axes], patches: PatchFile, row: PatchSummary, channel: int) -> None:
    image, mask = patches.image(row.id, channel), patches.mask(row.id)
    grey = patches.intensity(row.id, channel).percentiles
    truth = np.zeros_like(image, dtype=np.uint8) if mask is None else mask
    middle, fullest = len(image) // 2, int(truth.sum(axis=(1, 2)).argmax())
    views = [
        (f"central plane, z = {middle}", image[middle], truth[middle], grey["99.9"]),
        (f"fullest plane, z = {fullest}", image[fullest], truth[fullest], grey["99.9"]),
        ("max over Z (Y,X)", image.max(axis=0), truth.max(axis=0), grey["99.99"]),
        ("max over Y (Z,X)", image.max(axis=1), truth.max(axis=1), grey["99.99"]),
    ]
    for ax, (title, plane, outlined, white) in zip(axes, views, strict=False):
        # The square root keeps dim cells visible beside a bright artefact.
        norm = PowerNorm(0.5, grey["1"], max(white, grey["1"] + 1), clip=True)
        ax.imshow(plane, cmap="gray", norm=norm)
        if outlined.any() and not outlined.all():
            contour = ax.contour(outlined, levels=[0.5], colors=OUTLINE, linewidths=0.5)
            contour.set_rasterized(True)
        ax.set_title(title)
        ax.set_xticks([])
        ax.set_yticks([])
    size = row.voxel_size_um
    axes[0].set_ylabel(
        f"{row.id}, {row.specimen or 'specimen unknown'}\n{row.shape}\n"
        f"{'voxel size unknown' if size == 'unknown' else f'{size} µm'}"
    )
    _draw_histogram(axes[-1], image, mask)
    objects = f"{100 * row.foreground:.2f} %, {row.components:.0f} components"
    axes[-1].set_title("no mask" if mask is None else objects)


def _draw_histogram(ax: Axes, image: np.ndarray, mask: np.ndarray | None) -> None:
    bins = np.geomspace(max(float(image.min()), 1.0), float(image.max()) + 1, 80)
    outside = image.ravel() if mask is None else image[mask == 0]
    ax.hist(outside, bins, histtype="stepfilled", color=BACKGROUND)
    if mask is not None:
        ax.hist(image[mask > 0], bins, histtype="step", color=OUTLINE)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.minorticks_off()
    ax.xaxis.set_major_formatter(LogFormatter())
    ax.yaxis.set_major_formatter(LogFormatter())
    ax.set_ylabel("voxels (in mask: orange)")


def _draw_shares(ax: Axes, rows: list[PatchSummary]) -> None:
    ax.bar([row.id for row in rows], [100 * row.foreground for row in rows], color=OUTLINE)
    ax.tick_params(axis="x", rotation=90)
    if len(rows) > NAMED:
        ax.set_xticks([])
    ax.set_ylabel("foreground, %")
    ax.set_title(f"all {len(rows)} patches")


def _draw_sizes(ax: Axes, sizes: np.ndarray) -> None:
    if len(sizes):
        ax.hist(sizes, np.geomspace(1, sizes.max() + 1, 40), color=OUTLINE)
        ax.set_xscale("log")
        ax.minorticks_off()
        ax.xaxis.set_major_formatter(LogFormatter())
    ax.set_xlabel("component size, voxels")
    ax.set_ylabel("components")
    ax.set_title(f"{len(sizes)} components in all patches")


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else np.nan


def _box_share(mask: np.ndarray | None) -> float:
    if mask is None or not mask.any():
        return np.nan
    return float(np.prod([np.ptp(found) + 1 for found in np.nonzero(mask)]) / mask.size)

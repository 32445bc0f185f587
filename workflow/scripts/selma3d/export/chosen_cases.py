"""The report's chosen cases as OME-Zarr: the image, and below it the truth and all masks."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from ..challenge.display import Display
from ..images import PatchFile, PredictionFile
from ..images.geometry import Geometry
from ..ranking.tables import Tables
from ..report.cases import views
from ..report.cases.choice import choose, scores_of
from ..report.drawing.entrants import EntrantStyles
from ..report.shown import ShownCases
from ..system.atomic import publish_folder
from ..system.errors import InputError
from .ome_zarr import SUFFIX, ImageWithMasks, write_image_with_masks

TRUTH = views.COLOURS[views.TRUTH - 1]


def export_chosen_cases(shown: ShownCases, tables: Tables, display: Display, folder: Path) -> None:
    """Write `<case>.ome.zarr` of the best, the median and the worst case of a structure.

    tables: the ranking's, by which cases are chosen as for the report. The folder is empty where
    nothing has been scored. Masks are named `truth` and `<method>-<init>`, and have the colours of
    the report; a case that an entrant did not segment is without its mask. Raises InputError for a
    case without a truth.
    """
    scores = scores_of(shown.structure, tables["cases"], list(shown.predictions))
    styles = EntrantStyles.of_tables(display, tables)
    with ExitStack() as stack, publish_folder(folder) as temporary:
        cases = stack.enter_context(PatchFile(shown.cases_h5))
        found = {
            entrant: stack.enter_context(PredictionFile(file))
            for entrant, file in shown.predictions.items()
        }
        for pick in choose(scores):
            truth = cases.mask(pick.case)
            if truth is None:
                raise InputError(f"{cases.path}: {pick.case}: expected a mask, found none")
            masks = {"truth": (truth, TRUTH)} | {
                "-".join(entrant): (file.mask(pick.case), styles[entrant].colour)
                for entrant, file in found.items()
                if pick.case in file.ids
            }
            image = cases.image(pick.case, shown.channel)
            window = tuple(np.percentile(image, [1, 99.9]))
            size = cases.voxel_size_um(pick.case)
            write_image_with_masks(
                ImageWithMasks(image, window, masks),
                temporary / f"{pick.case}{SUFFIX}",
                Geometry.of_size(size),
            )

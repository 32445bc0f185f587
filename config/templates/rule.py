"""Rule @RULE@_segment: test cases of a structure -> their masks."""

from skimage.filters import threshold_otsu

from job import running
from selma3d.images import PatchFile, PredictionWriter


def segment(image):
    """A mask (Z,Y,X) of 0 and 1 for an image (Z,Y,X): put your method here."""
    return image > threshold_otsu(image)


if __name__ == "__main__":
    structure = snakemake.wildcards.structure
    with (
        running(snakemake),
        PatchFile(snakemake.input.cases) as cases,
        PredictionWriter(
            snakemake.output.predictions, "@NAME@", structure, "default"
        ) as predictions,
    ):
        for case in cases.ids:
            predictions.add(case, segment(cases.image(case, snakemake.params.channel)))

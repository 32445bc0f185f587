"""Rule histories: training histories -> figures of their losses and validation scores."""

from job import running
from selma3d.challenge.display import Display
from selma3d.report.histories import draw_histories
from selma3d.report.shown import Trainings

if __name__ == "__main__":
    with running(snakemake):
        display = Display.read(snakemake.params.display)
        histories, output = snakemake.params.histories, snakemake.output
        for plain, svg, pdf, png in zip(histories, output.svg, output.pdf, output.png, strict=True):
            trainings = [Trainings.read(each) for each in plain]
            draw_histories(trainings, display, {"svg": svg, "pdf": pdf, "png": png})

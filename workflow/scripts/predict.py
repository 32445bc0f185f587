"""Rules predict_<target>: a model and the test cases of its structures -> predicted masks."""

from pathlib import Path

from job import running
from selma3d import inference

if __name__ == "__main__":
    with running(snakemake):
        model = inference.load_model(
            Path(snakemake.input.model),
            threads=snakemake.threads,
            channels=snakemake.params.channels,
        )
        settings = inference.WindowSettings(**snakemake.params.settings)
        for structure, cases, predictions in zip(
            snakemake.params.structures,
            snakemake.input.cases,
            snakemake.output.predictions,
            strict=True,
        ):
            inference.predict_cases(
                model,
                Path(cases),
                Path(predictions),
                structure=structure,
                method=snakemake.wildcards.method,
                run=Path(predictions).stem,
                settings=settings,
            )

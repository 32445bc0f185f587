"""Rules predict_<target>_ensemble: models of all folds and seeds, and test cases -> masks."""

from pathlib import Path

from job import running
from selma3d import inference

if __name__ == "__main__":
    with running(snakemake):
        members = [
            inference.load_model(
                Path(model), threads=snakemake.threads, channels=snakemake.params.channels
            )
            for model in snakemake.input.models
        ]
        settings = inference.WindowSettings(**snakemake.params.settings)
        for structure, cases, predictions, agreement in zip(
            snakemake.params.structures,
            snakemake.input.cases,
            snakemake.output.predictions,
            snakemake.output.agreement,
            strict=True,
        ):
            inference.predict_cases_together(
                members,
                Path(cases),
                Path(predictions),
                Path(agreement),
                structure=structure,
                method=snakemake.wildcards.method,
                run=Path(predictions).stem,
                settings=settings,
            )

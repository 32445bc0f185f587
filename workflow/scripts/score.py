"""Rule score: test cases and all predictions of a method for them -> one score table."""

import logging
from pathlib import Path

import pandas as pd

from job import running
from selma3d.scoring.check import faults_of_runs
from selma3d.scoring.method_scores import Scoring, score_predictions
from selma3d.system.atomic import write_table
from selma3d.system.errors import InputError

if __name__ == "__main__":
    with running(snakemake):
        params, method = snakemake.params, snakemake.wildcards.method
        predictions, cases = snakemake.input.predictions, Path(snakemake.input.cases)
        faults = faults_of_runs(predictions, cases, complete=params.complete)
        if faults and not params.partial:
            more = f"; {len(faults) - 1} more runs have faults" if len(faults) > 1 else ""
            raise InputError(f"{next(iter(faults.values()))}{more}")
        for fault in faults.values():
            logging.error("not scored: %s", fault)
        scores = score_predictions(
            cases,
            [
                (Path(path).stem, Path(path))
                for path in predictions
                if Path(path).stem not in faults
            ],
            method=method,
            scoring=Scoring(
                edition=params.edition,
                phase=params.phase,
                profile=params.profile,
                tracks=tuple(params.tracks),
                **params.structure,
            ),
        )
        write_table(scores, snakemake.output.scores)
        rows = [
            (method, params.structure["structure"], run, fault) for run, fault in faults.items()
        ]
        write_table(
            pd.DataFrame(rows, columns=["method", "structure", "run", "fault"]),
            snakemake.output.faults,
        )

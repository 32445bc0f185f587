"""Rule rank: score tables of all methods -> the leaderboard of a track and its statistics."""

from pathlib import Path

import pandas as pd

from job import running
from selma3d.challenge.checking import check
from selma3d.images.splits import read_split, training_set_sizes
from selma3d.ranking.settings import RankingSettings
from selma3d.ranking.track import rank_track
from selma3d.scoring.references import read_references
from selma3d.scoring.score_tables import read_scores
from selma3d.system.atomic import write_table

if __name__ == "__main__":
    with running(snakemake):
        plain = {**snakemake.params.settings, "targets": snakemake.params.targets}
        learnt = training_set_sizes(map(read_split, snakemake.input.splits))
        sizes = {
            structure: max(learnt[name] for name in names)
            for structure, names in snakemake.params.learns.items()
        }
        tables = rank_track(
            read_scores(snakemake.input.scores),
            check(RankingSettings, {**plain, "training_patches": sizes}, "ranking"),
            track=snakemake.wildcards.track,
            expected=pd.DataFrame(snakemake.params.expected),
            references=read_references(snakemake.input.references),
        )
        for name, table in tables.items():
            write_table(table, Path(snakemake.params.folder) / f"{name}.tsv")

"""Ranking, its statistics, and the cost of each entrant."""

from selma3d.ranking.costed_jobs import costed_jobs, counted_models
from selma3d.ranking.tables import COLUMNS


rule rank:
    """Rank the entrants of a track; compare with and without pretraining."""
    input:
        scores=score_tables,
        references=references_of_scored,
        splits=[LAYOUT.split(name) for name in CHALLENGE.structures_with_patches],
    output:
        leaderboard=report(
            LAYOUT.ranking("leaderboard"),
            caption="../report/leaderboard.rst",
            category="Ranking",
            labels={"track": "{track}", "table": "leaderboard"},
        ),
        tables=[LAYOUT.ranking(table) for table in COLUMNS],
    log:
        LAYOUT.log("rank", "{track}"),
    benchmark:
        LAYOUT.benchmark("rank", "{track}")
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        folder=subpath(output.leaderboard, parent=True),
        settings=CHALLENGE.ranking_settings(),
        learns=lambda wildcards: {
            structure: target.learns
            for target in TARGETS.values()
            if target.track == wildcards.track
            for structure in target.segments
        },
        targets=lambda wildcards: {
            structure: target.name
            for target in TARGETS.values()
            if target.track == wildcards.track
            for structure in target.segments
        },
        expected=lambda wildcards: EXPECTED[
            EXPECTED["track"] == wildcards.track
        ].to_dict("list"),
    script:
        "../scripts/rank.py"


rule cost:
    """Sum time, GPU time and memory of each entrant's jobs, once they are scored."""
    input:
        scores=score_tables,
    output:
        cost=LAYOUT.ranking("cost"),
    log:
        LAYOUT.log("cost", "{track}"),
    benchmark:
        LAYOUT.benchmark("cost", "{track}")
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        jobs=lambda wildcards: costed_jobs(CHALLENGE, LAYOUT, wildcards.track),
        models=lambda wildcards: counted_models(CHALLENGE, LAYOUT, wildcards.track),
        benchmarks=LAYOUT.benchmarks,
        logs=LAYOUT.logs,
        gpus=CONFIG.resources.gpu,
        training_gpus=CONFIG.resources.gpus_of_training,
    script:
        "../scripts/cost.py"

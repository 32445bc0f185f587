"""Ranking, the statistics that say how sure it is, and what it cost."""


rule rank:
    """Rank the entrants of a track; compare with and without pretraining."""
    input:
        scores=score_tables,
        splits=[
            f"<results>/splits/{name}.tsv"
            for name in CHALLENGE.structures_with_patches
        ],
    output:
        leaderboard=report(
            "<judged>/ranking/{track}/leaderboard.tsv",
            caption="../report/leaderboard.rst",
            category="Ranking",
            labels={"track": "{track}", "table": "leaderboard"},
        ),
        tables=expand("<judged>/ranking/{{track}}/{table}.tsv", table=RANKING_TABLES),
    log:
        "<logs>/rank/{track}.log",
    benchmark:
        "<benchmarks>/rank/{track}.tsv"
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        folder=subpath(output.leaderboard, parent=True),
        settings=CHALLENGE.ranking_settings(),
        learns=lambda wildcards: {
            structure: target.learns
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
        cost="<judged>/ranking/{track}/cost.tsv",
    log:
        "<logs>/cost/{track}.log",
    benchmark:
        "<benchmarks>/cost/{track}.tsv"
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        jobs=finished_jobs,
        models=one_model_each,
        benchmarks=f"{config['results']}/benchmarks",
        logs=f"{config['results']}/logs",
        gpus=config["resources"]["gpu"],
    script:
        "../scripts/cost.py"

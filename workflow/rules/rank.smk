"""Ranking, and the statistics that say how sure it is."""


rule rank:
    """Rank the entrants of a track; compare with and without pretraining."""
    input:
        scores=score_tables,
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
        expected=lambda wildcards: EXPECTED[
            EXPECTED["track"] == wildcards.track
        ].to_dict("list"),
    script:
        "../scripts/rank.py"

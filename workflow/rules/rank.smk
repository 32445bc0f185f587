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


def finished_jobs(wildcards):
    """(method, init, stage, benchmark, history) of the jobs behind a track's scores.

    An encoder counts for the entrant that starts from it; a method's own rules write their
    benchmarks below its name.
    """
    jobs = []
    for method, group, pretext, seed in encoders_of(CHALLENGE):
        if group in {t.group for t in TARGETS.values() if t.track == wildcards.track}:
            name = f"{method}/{group}/{pretext}-s{seed}.tsv"
            history = f"{config['results']}/encoders/{name}"
            jobs.append((method, pretext, "pretrain", f"pretrain/{name}", history))
    for method in CHALLENGE.recipes:
        for target in TARGETS.values():
            if target.track == wildcards.track and target.segments:
                for run in CHALLENGE.runs(method, target.segments[0]):
                    name = f"{method}/{target.name}/{run.model}.tsv"
                    history = f"{config['results']}/models/{name}"
                    if run.track == wildcards.track:
                        jobs.append(
                            (method, run.init, "finetune", f"finetune/{name}", history)
                        )
                        jobs.append(
                            (method, run.init, "predict", f"predict/{name}", None)
                        )
    jobs = [
        job
        for job in jobs
        if job[4] is None or os.path.exists(job[4]) or not config["partial"]
    ]
    own = [
        (method, "default", "segment", f"{method}/**/*.tsv", None)
        for method in OWN_RULES
    ]
    return jobs + own


def one_model_each(wildcards):
    """A model file of each recipe, to count its parameters."""
    models = {}
    for method in CHALLENGE.recipes:
        for target in TARGETS.values():
            for structure in target.segments[:1]:
                for run in CHALLENGE.runs(method, structure):
                    path = f"{config['results']}/models/{method}/{target.name}/{run.model}.pt"
                    if run.track == target.track == wildcards.track:
                        if not config["partial"] or os.path.exists(path):
                            models.setdefault(method, path)
    return models


rule cost:
    """Sum time, GPU time and memory of each entrant's jobs."""
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
        gpus=config["resources"]["gpu"],
    script:
        "../scripts/cost.py"

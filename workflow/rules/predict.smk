"""Inference on test cases: one job a model, on all structures that it segments."""

WINDOWS = {
    key: config["predict"][key] for key in ("overlap", "batch", "flips", "probability")
}

for target in TARGETS.values():
    if not target.segments:
        continue

    rule:
        name:
            f"predict_{target.name.replace('-', '_')}"
        input:
            model=f"<results>/models/{{method}}/{target.name}/{{run}}.pt",
            cases=[
                f"<results>/data/{CHALLENGE.structures[name].cases_of}/cases.h5"
                for name in target.segments
            ],
        output:
            predictions=[
                f"<results>/predictions/{{method}}/{name}/{{run}}{target.suffix}.h5"
                for name in target.segments
            ],
        log:
            f"<logs>/predict/{{method}}/{target.name}/{{run}}.log",
        benchmark:
            f"<benchmarks>/predict/{{method}}/{target.name}/{{run}}.tsv"
        wildcard_constraints:
            method=any_of(CHALLENGE.recipes),
            run=TRAINED_RUN,
        conda:
            "../envs/selma3d.yaml"
        threads: config["resources"]["training_threads"]
        resources:
            gpu=config["resources"]["gpu"],
            mem_mb=training_memory,
            runtime=config["resources"]["predict_minutes"],
        params:
            structures=target.segments,
            settings=WINDOWS,
        script:
            "../scripts/predict.py"

    rule:
        name:
            f"predict_{target.name.replace('-', '_')}_ensemble"
        input:
            models=lambda wildcards, target=target.name: members_of(wildcards, target),
            cases=[
                f"<results>/data/{CHALLENGE.structures[name].cases_of}/cases.h5"
                for name in target.segments
            ],
        output:
            predictions=[
                f"<results>/predictions/{{method}}/{name}/{{run}}{target.suffix}.h5"
                for name in target.segments
            ],
            agreement=[
                f"<results>/predictions/{{method}}/{name}/{{run}}{target.suffix}.tsv"
                for name in target.segments
            ],
        log:
            f"<logs>/predict/{{method}}/{target.name}/{{run}}.log",
        benchmark:
            f"<benchmarks>/predict/{{method}}/{target.name}/{{run}}.tsv"
        wildcard_constraints:
            method=any_of(CHALLENGE.recipes),
            run=ENSEMBLE_RUN,
        conda:
            "../envs/selma3d.yaml"
        threads: config["resources"]["training_threads"]
        resources:
            gpu=config["resources"]["gpu"],
            mem_mb=lambda wildcards, attempt: config["resources"]["training_mem_mb"]
            * attempt,
            runtime=config["resources"]["predict_minutes"],
        params:
            structures=target.segments,
            settings=WINDOWS,
        script:
            "../scripts/predict_ensemble.py"

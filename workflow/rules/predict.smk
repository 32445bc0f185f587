"""Inference on test cases: one job a model, on all structures that it segments."""

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
            mem_mb=lambda wildcards, attempt: config["resources"]["training_mem_mb"]
            * attempt,
            runtime=config["resources"]["predict_minutes"],
        params:
            structures=target.segments,
            settings=config["predict"],
        script:
            "../scripts/predict.py"

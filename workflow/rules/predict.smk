"""Inference on test cases: one job a model, on all structures that it segments."""

WINDOW_SETTINGS = CONFIG.predict.model_dump(exclude={"ensemble"})

for target in TARGETS.values():
    if not target.segments:
        continue

    rule:
        name:
            f"predict_{target.name.replace('-', '_')}"
        input:
            model=LAYOUT.model(target=target),
            cases=cases_of_target(target),
        output:
            predictions=predictions_of_target(target),
        log:
            LAYOUT.log("predict", of_model(target=target)),
        benchmark:
            LAYOUT.benchmark("predict", of_model(target=target))
        wildcard_constraints:
            method=any_of(CHALLENGE.recipes),
            run=TRAINED_MODEL,
        conda:
            "../envs/selma3d.yaml"
        threads: CONFIG.resources.training_threads
        resources:
            gpu=gpus(CONFIG.resources.gpu),
            mem_mb=memory(CONFIG.resources.training_mem_mb),
            runtime=minutes(CONFIG.resources.predict_minutes),
        params:
            structures=target.segments,
            channels=channels_of_target(target),
            settings=WINDOW_SETTINGS,
        script:
            "../scripts/predict.py"

    rule:
        name:
            f"predict_{target.name.replace('-', '_')}_ensemble"
        input:
            models=lambda wildcards, target=target: members_of(wildcards, target),
            cases=cases_of_target(target),
        output:
            predictions=predictions_of_target(target),
            agreement=[
                LAYOUT.agreement(structure=name, run=target.run())
                for name in target.segments
            ],
        log:
            LAYOUT.log("predict", of_model(target=target)),
        benchmark:
            LAYOUT.benchmark("predict", of_model(target=target))
        wildcard_constraints:
            method=any_of(CHALLENGE.recipes),
            run=ENSEMBLE_MODEL,
        conda:
            "../envs/selma3d.yaml"
        threads: CONFIG.resources.training_threads
        resources:
            gpu=gpus(CONFIG.resources.gpu),
            mem_mb=memory(CONFIG.resources.training_mem_mb),
            runtime=minutes(CONFIG.resources.predict_minutes),
        params:
            structures=target.segments,
            channels=channels_of_target(target),
            settings=WINDOW_SETTINGS,
        script:
            "../scripts/predict_ensemble.py"

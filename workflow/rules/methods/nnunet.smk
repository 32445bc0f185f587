"""nnU-Net v2, the published package, in an environment of its own."""


rule nnunet_train:
    """Plan and train nnU-Net on the patches of one run; its weights are a pickle of its own."""
    input:
        patches=patches_learnt,
        indexes=indexes_learnt,
        splits=splits_learnt,
        installed=installed_for("nnunet"),
    output:
        model=LAYOUT.model("nnunet", suffix=".zip"),
        history=LAYOUT.model_history("nnunet"),
    log:
        LAYOUT.log("nnunet", "train/{target}/{run}"),
    benchmark:
        LAYOUT.benchmark("nnunet", "train/{target}/{run}")
    wildcard_constraints:
        target=any_of(TARGETS),
        run=TRAINED_MODEL,
    conda:
        "../../envs/selma3d.yaml"
    threads: CONFIG.resources.training_threads
    resources:
        gpu=gpus(CONFIG.resources.gpu),
        mem_mb=memory(CONFIG.resources.training_mem_mb),
        runtime=minutes(CONFIG.resources.finetune_minutes),
    params:
        settings=METHODS["nnunet"].settings,
        environment=lambda wildcards: environment_of("nnunet"),
        sources=sources_learnt,
        work=LAYOUT.work("nnunet", "{target}/{run}"),
    script:
        "../../scripts/nnunet_train.py"


for target in TARGETS.values():
    if not target.segments:
        continue

    rule:
        name:
            f"nnunet_predict_{target.name.replace('-', '_')}"
        input:
            model=LAYOUT.model("nnunet", target, suffix=".zip"),
            history=LAYOUT.model_history("nnunet", target),
            cases=cases_of_target(target),
            installed=ancient(installed_for("nnunet")),
        output:
            predictions=predictions_of_target(target, "nnunet"),
        log:
            LAYOUT.log("nnunet", f"predict/{target.name}/{{run}}"),
        benchmark:
            LAYOUT.benchmark("nnunet", f"predict/{target.name}/{{run}}")
        wildcard_constraints:
            run=TRAINED_MODEL,
        conda:
            "../../envs/selma3d.yaml"
        threads: CONFIG.resources.training_threads
        resources:
            gpu=gpus(CONFIG.resources.gpu),
            mem_mb=memory(CONFIG.resources.training_mem_mb),
            runtime=minutes(CONFIG.resources.predict_minutes),
        params:
            settings=METHODS["nnunet"].settings,
            environment=lambda wildcards: environment_of("nnunet"),
            structures=target.segments,
            channels=list(channels_of_target(target).values()),
        script:
            "../../scripts/nnunet_predict.py"

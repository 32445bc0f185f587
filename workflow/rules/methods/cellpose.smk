"""cellpose 3, the published package, in an environment of its own."""


rule cellpose:
    """Train cellpose on the planes of all training patches; segment the cases in 3D."""
    input:
        patches=patches_learnt,
        indexes=indexes_learnt,
        splits=splits_learnt,
        cases=cases_of,
        installed=ancient(installed_for("cellpose")),
    output:
        predictions=LAYOUT.prediction("cellpose", run="default"),
    log:
        LAYOUT.log("cellpose", "{structure}"),
        program=LAYOUT.program_log("cellpose", "{structure}"),
    benchmark:
        LAYOUT.benchmark("cellpose", "{structure}")
    conda:
        "../../envs/selma3d.yaml"
    threads: CONFIG.resources.training_threads
    resources:
        gpu=gpus(CONFIG.resources.gpu),
        mem_mb=memory(CONFIG.resources.training_mem_mb),
        runtime=minutes(CONFIG.resources.finetune_minutes),
    params:
        method="cellpose",
        settings=METHODS["cellpose"].settings,
        environment=lambda wildcards: environment_of("cellpose"),
        sources=sources_learnt,
        channel=channel_of,
    script:
        "../../scripts/one_program.py"

"""CellSeg3D's WNet3D, the published package, in an environment of its own."""


rule wnet3d:
    """Train WNet3D on windows of unannotated volumes; segment the cases."""
    input:
        patches=patches_learnt,
        indexes=indexes_learnt,
        splits=splits_learnt,
        volumes=lambda wildcards: volume_files(
            CHALLENGE.volumes(CHALLENGE.structures[wildcards.structure].group)
        ),
        cases=cases_of,
        installed=ancient(installed_for("wnet3d")),
    output:
        predictions=LAYOUT.prediction("wnet3d", run="default"),
    log:
        LAYOUT.log("wnet3d", "{structure}"),
        program=LAYOUT.program_log("wnet3d", "{structure}"),
    benchmark:
        LAYOUT.benchmark("wnet3d", "{structure}")
    conda:
        "../../envs/selma3d.yaml"
    threads: CONFIG.resources.training_threads
    resources:
        gpu=gpus(CONFIG.resources.gpu),
        mem_mb=memory(CONFIG.resources.training_mem_mb),
        runtime=minutes(CONFIG.resources.finetune_minutes),
    params:
        method="wnet3d",
        settings=METHODS["wnet3d"].settings,
        environment=lambda wildcards: environment_of("wnet3d"),
        sources=sources_learnt,
        channel=channel_of,
        volume_channels=lambda wildcards: volume_channels(
            CHALLENGE.volumes(CHALLENGE.structures[wildcards.structure].group)
        ),
    script:
        "../../scripts/one_program.py"

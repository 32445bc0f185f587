"""CellSeg3D's WNet3D, the published package, in an environment of its own."""


rule wnet3d:
    """Train WNet3D on windows of unannotated volumes; segment the cases."""
    input:
        patches=lambda wildcards: [
            f"<results>/data/{name}/patches.h5"
            for name in TARGETS[
                CHALLENGE.structures[wildcards.structure].target
            ].learns
        ],
        splits=lambda wildcards: [
            f"<results>/splits/{name}.tsv"
            for name in TARGETS[
                CHALLENGE.structures[wildcards.structure].target
            ].learns
        ],
        volumes=lambda wildcards: volumes_of(
            CHALLENGE.structures[wildcards.structure].group, ".h5"
        ),
        cases=cases_of,
        installed=ancient(installed_for("wnet3d")),
    output:
        predictions="<results>/predictions/wnet3d/{structure}/default.h5",
    log:
        "<logs>/wnet3d/{structure}.log",
        words="<logs>/wnet3d/{structure}.program.log",
    benchmark:
        "<benchmarks>/wnet3d/{structure}.tsv"
    conda:
        "../../envs/selma3d.yaml"
    threads: config["resources"]["training_threads"]
    resources:
        gpu=config["resources"]["gpu"],
        mem_mb=lambda wildcards, attempt: config["resources"]["training_mem_mb"]
        * attempt,
        runtime=config["resources"]["finetune_minutes"],
    params:
        method="wnet3d",
        settings=METHODS["wnet3d"].settings["settings"],
        environment=lambda wildcards: environment_of("wnet3d"),
        channels=lambda wildcards: {
            name: structure.channel for name, structure in CHALLENGE.structures.items()
        },
        volume_channels=lambda wildcards: channels_of(
            CHALLENGE.structures[wildcards.structure].group
        ),
    script:
        "../../scripts/package.py"

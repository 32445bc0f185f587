"""cellpose 3, the published package, in an environment of its own."""


rule cellpose:
    """Train cellpose on the planes of all training patches; segment the cases in 3D."""
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
        cases=cases_of,
        installed=ancient(installed_for("cellpose")),
    output:
        predictions="<results>/predictions/cellpose/{structure}/default.h5",
    log:
        "<logs>/cellpose/{structure}.log",
        words="<logs>/cellpose/{structure}.program.log",
    benchmark:
        "<benchmarks>/cellpose/{structure}.tsv"
    conda:
        "../../envs/selma3d.yaml"
    threads: config["resources"]["training_threads"]
    resources:
        gpu=config["resources"]["gpu"],
        mem_mb=lambda wildcards, attempt: config["resources"]["training_mem_mb"]
        * attempt,
        runtime=config["resources"]["finetune_minutes"],
    params:
        method="cellpose",
        settings=METHODS["cellpose"].settings["settings"],
        environment=lambda wildcards: environment_of("cellpose"),
        channels=lambda wildcards: {
            name: structure.channel for name, structure in CHALLENGE.structures.items()
        },
    script:
        "../../scripts/package.py"

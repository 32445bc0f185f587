"""A classical baseline: one intensity threshold a structure type, chosen on training patches."""


rule threshold_method:
    """Smooth, threshold, drop specks: what can be had without learning a network."""
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
    output:
        predictions="<results>/predictions/threshold/{structure}/default.h5",
    log:
        "<logs>/threshold/{structure}.log",
    benchmark:
        "<benchmarks>/threshold/{structure}.tsv"
    conda:
        "../../envs/selma3d.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=METHODS["threshold"].settings["settings"],
        channels=lambda wildcards: {
            name: structure.channel for name, structure in CHALLENGE.structures.items()
        },
    script:
        "../../scripts/threshold.py"

"""Classical filters for spots and for vessels, chosen on training patches."""


rule classical:
    """Top-hat, Otsu and watershed, or ridges and hysteresis, by how a structure is scored."""
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
        predictions="<results>/predictions/classical/{structure}/default.h5",
    log:
        "<logs>/classical/{structure}.log",
    benchmark:
        "<benchmarks>/classical/{structure}.tsv"
    conda:
        "../../envs/selma3d.yaml"
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        kind=lambda wildcards: CHALLENGE.structures[wildcards.structure].scored_as,
        grid=lambda wildcards: METHODS["classical"].settings["settings"][
            CHALLENGE.structures[wildcards.structure].scored_as
        ],
        channels=lambda wildcards: {
            name: structure.channel for name, structure in CHALLENGE.structures.items()
        },
    script:
        "../../scripts/classical.py"

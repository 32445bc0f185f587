"""Classical filters for spots and for vessels, chosen on training patches."""


rule classical:
    """Top-hat, Otsu and watershed, or ridges and hysteresis, by how a structure is scored."""
    input:
        patches=patches_learnt,
        indexes=indexes_learnt,
        splits=splits_learnt,
        cases=cases_of,
    output:
        predictions=LAYOUT.prediction("classical", run="default"),
    log:
        LAYOUT.log("classical", "{structure}"),
    benchmark:
        LAYOUT.benchmark("classical", "{structure}")
    conda:
        "../../envs/selma3d.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(240),
    params:
        method="classical",
        kind=lambda wildcards: CHALLENGE.structures[wildcards.structure].scored_as,
        grid=lambda wildcards: METHODS["classical"].settings[
            CHALLENGE.structures[wildcards.structure].scored_as
        ],
        sources=sources_learnt,
        channel=channel_of,
    script:
        "../../scripts/classical.py"

"""Foreign results: masks that someone else made, as methods without a training."""


rule foreign:
    """Check masks that someone else made against the test cases; binarise them."""
    input:
        masks=foreign_masks,
        cases=cases_of,
        others=cases_of_others,
    output:
        predictions=LAYOUT.prediction(run="default"),
    log:
        LAYOUT.log("foreign", "{method}/{structure}"),
    benchmark:
        LAYOUT.benchmark("foreign", "{method}/{structure}")
    wildcard_constraints:
        method=any_of(CHALLENGE.foreign),
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        predictions=lambda wildcards: str(
            CHALLENGE.foreign_predictions(wildcards.method)
        ),
        structures=list(CHALLENGE.structures),
    script:
        "../scripts/foreign.py"

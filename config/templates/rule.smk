"""@TITLE@: masks of test cases by code of its own."""


rule @RULE@_segment:
    """Segment every test case of a structure."""
    input:
        cases=cases_of,
    output:
        predictions="<results>/predictions/@NAME@/{structure}/default.h5",
    log:
        "<logs>/@NAME@/{structure}.log",
    benchmark:
        "<benchmarks>/@NAME@/{structure}.tsv"
    conda:
        f"{workflow.basedir}/workflow/envs/selma3d.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        channel=lambda wildcards: CHALLENGE.structures[wildcards.structure].channel,
    script:
        "@SCRIPT@"

"""A classical baseline: one intensity threshold a structure type, chosen on training patches."""


rule threshold_method:
    """Smooth, threshold, drop specks: a baseline that learns no network."""
    input:
        patches=patches_learnt,
        indexes=indexes_learnt,
        splits=splits_learnt,
        cases=cases_of,
    output:
        predictions=LAYOUT.prediction("threshold", run="default"),
    log:
        LAYOUT.log("threshold", "{structure}"),
    benchmark:
        LAYOUT.benchmark("threshold", "{structure}")
    conda:
        "../../envs/selma3d.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        method="threshold",
        kind="threshold",
        grid=METHODS["threshold"].settings,
        sources=sources_learnt,
        channel=channel_of,
    script:
        "../../scripts/classical.py"

"""Containers and other programs with Grand Challenge's interface, as methods."""


rule submission:
    """Run a program once a test case, as the challenge's platform does; check what it writes."""
    input:
        cases=cases_of,
    output:
        predictions=LAYOUT.prediction(run="default"),
    log:
        LAYOUT.log("{method}", "submission/{structure}"),
        program=LAYOUT.program_log("{method}", "submission/{structure}"),
    benchmark:
        LAYOUT.benchmark("{method}", "submission/{structure}")
    wildcard_constraints:
        method=any_of(CHALLENGE.submissions),
    conda:
        "../envs/selma3d.yaml"
    resources:
        gpu=lambda wildcards, attempt, rulename: gpus(
            int(METHODS[wildcards.method].about.capabilities.gpu is True)
        )(wildcards, attempt, rulename),
        mem_mb=memory(CONFIG.resources.training_mem_mb),
        runtime=minutes(CONFIG.resources.predict_minutes),
    params:
        settings=lambda wildcards: METHODS[wildcards.method].settings,
        places=lambda wildcards: {"here": str(METHODS[wildcards.method].file.parent)},
        slugs=container_slugs,
        channel=channel_of,
    script:
        "../scripts/submission.py"

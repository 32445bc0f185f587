"""Containers and other programs with Grand Challenge's interface take part as methods."""


rule submission:
    """Run a program once a test case, as the challenge's platform does; check what it writes."""
    input:
        cases=cases_of,
    output:
        predictions="<results>/predictions/{method}/{structure}/default.h5",
    log:
        "<logs>/{method}/submission/{structure}.log",
        words="<logs>/{method}/submission/{structure}.program.log",
    benchmark:
        "<benchmarks>/{method}/submission/{structure}.tsv"
    wildcard_constraints:
        method=any_of(CHALLENGE.submissions),
    conda:
        "../envs/selma3d.yaml"
    resources:
        gpu=lambda wildcards: (
            1 if METHODS[wildcards.method].settings["capabilities"]["gpu"] else 0
        ),
        mem_mb=lambda wildcards, attempt: config["resources"]["training_mem_mb"]
        * attempt,
        runtime=config["resources"]["predict_minutes"],
    params:
        settings=lambda wildcards: METHODS[wildcards.method].settings["settings"],
        places=lambda wildcards: {"here": str(METHODS[wildcards.method].file.parent)},
        slugs=CHALLENGE.edition["containers"],
        channel=lambda wildcards: CHALLENGE.structures[wildcards.structure].channel,
    script:
        "../scripts/submission.py"

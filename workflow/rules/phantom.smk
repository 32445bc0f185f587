"""Synthetic light-sheet images, written as a published archive is laid out."""


rule phantom:
    """Draw vessels, cells and microglia, image them with a simulated light-sheet microscope."""
    output:
        manifest="<results>/phantom/{archive}/manifest.tsv",
    log:
        "<logs>/phantom/{archive}.log",
    benchmark:
        "<benchmarks>/phantom/{archive}.tsv"
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        folder=subpath(output.manifest, parent=True),
        spec=lambda wildcards: CHALLENGE.archives[wildcards.archive]["phantom"],
    script:
        "../scripts/phantom.py"

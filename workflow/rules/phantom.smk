"""Synthetic light-sheet images, written as a published archive is laid out."""


rule phantom:
    """Draw vessels, cells and microglia, image them with a simulated light-sheet microscope."""
    output:
        manifest=LAYOUT.phantom_manifest(),
    log:
        LAYOUT.log("phantom", "{archive}"),
    benchmark:
        LAYOUT.benchmark("phantom", "{archive}")
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(60),
    params:
        folder=subpath(output.manifest, parent=True),
        spec=lambda wildcards: CHALLENGE.archives[wildcards.archive].phantom,
    script:
        "../scripts/phantom.py"

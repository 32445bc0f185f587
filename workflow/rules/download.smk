"""Archives as published, verified file by file."""


localrules:
    download,


rule download:
    """Bring an archive's files here, verify each against its manifest, write a receipt."""
    input:
        lambda wildcards: (
            "<results>/phantom/{archive}/manifest.tsv"
            if CHALLENGE.archives[wildcards.archive]["kind"] == "phantom"
            else []
        ),
    output:
        receipt="<results>/archive/{archive}/receipt.tsv",
    log:
        "<logs>/download/{archive}.log",
    benchmark:
        "<benchmarks>/download/{archive}.tsv"
    conda:
        "../envs/selma3d.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=2880,
    params:
        name="{archive}",
        source=lambda wildcards: CHALLENGE.archives[wildcards.archive],
        folder=subpath(output.receipt, parent=True),
        work=lambda wildcards: f"{config['results']}/work/download/{wildcards.archive}",
        limits=config["download"],
    script:
        "../scripts/download.py"

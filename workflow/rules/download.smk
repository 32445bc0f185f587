"""Archives as published, verified file by file."""


localrules:
    download,


rule download:
    """Bring an archive's files here, verify each against its manifest, write a receipt."""
    input:
        lambda wildcards: (
            LAYOUT.phantom_manifest(wildcards.archive)
            if CHALLENGE.archives[wildcards.archive].kind == "phantom"
            else []
        ),
    output:
        receipt=LAYOUT.receipt(),
    log:
        LAYOUT.log("download", "{archive}"),
    benchmark:
        LAYOUT.benchmark("download", "{archive}")
    conda:
        "../envs/selma3d.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=2880,
    params:
        name="{archive}",
        source=lambda wildcards: CHALLENGE.archives[wildcards.archive].plain(),
        folder=subpath(output.receipt, parent=True),
        work=LAYOUT.work("download", "{archive}"),
        limits=CONFIG.download.plain(),
    script:
        "../scripts/download.py"

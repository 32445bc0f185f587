"""Archives as published, verified file by file."""


localrules:
    list_archive,
    download,


rule list_archive:
    """Ask an archive for its list of files, where the manifest at hand does not name them all."""
    output:
        manifest=LAYOUT.listed_files(),
    log:
        LAYOUT.log("list_archive", "{archive}"),
    benchmark:
        LAYOUT.benchmark("list_archive", "{archive}")
    conda:
        "../envs/selma3d.yaml"
    threads: 1
    resources:
        mem_mb=memory(500),
        runtime=minutes(60),
    params:
        name="{archive}",
        source=lambda wildcards: CHALLENGE.archives[wildcards.archive].plain(),
        retries=CONFIG.download.retries,
    script:
        "../scripts/list_archive.py"


rule download:
    """Bring an archive's files here, verify each against its manifest, write a receipt."""
    input:
        manifest_made,
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
        mem_mb=memory(1000),
        runtime=minutes(2880),
    params:
        name="{archive}",
        source=lambda wildcards: CHALLENGE.archives[wildcards.archive].plain(),
        folder=subpath(output.receipt, parent=True),
        work=LAYOUT.work("download", "{archive}"),
        limits=CONFIG.download.plain(),
    script:
        "../scripts/download.py"

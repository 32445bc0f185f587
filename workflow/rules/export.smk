"""Masks for other programs and containers for Grand Challenge; asked for by name."""

EXPORTED = "<results>/segmentations/{method}/{structure}/export/{sample}"


rule export:
    """The mask of a volume as OME-TIFF, MHA or NIfTI, by the name of the file."""
    input:
        mask="<results>/segmentations/{method}/{structure}/{sample}.h5",
    output:
        exported=f"{EXPORTED}{{suffix}}",
    log:
        "<logs>/export/{method}/{structure}/{sample}{suffix}.log",
    benchmark:
        "<benchmarks>/export/{method}/{structure}/{sample}{suffix}.tsv"
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
        sample="[A-Za-z0-9_-]+",
        suffix=r"\.ome\.tif|\.mha|\.nii\.gz",
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=8000,
        runtime=240,
    script:
        "../scripts/export.py"


use rule export as export_zarr with:
    output:
        exported=directory(f"{EXPORTED}.ome.zarr"),
    log:
        "<logs>/export/{method}/{structure}/{sample}.ome.zarr.log",
    benchmark:
        "<benchmarks>/export/{method}/{structure}/{sample}.ome.zarr.tsv"
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
        sample="[A-Za-z0-9_-]+",


rule container:
    """Pack a trained model as the context of a container, with the paths of the edition."""
    input:
        model=segmenting_model,
    output:
        context=directory("<results>/containers/{method}/{structure}"),
    log:
        "<logs>/container/{method}/{structure}.log",
    benchmark:
        "<benchmarks>/container/{method}/{structure}.tsv"
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        slugs=lambda wildcards: container_slugs(wildcards.structure),
        overlap=config["predict"]["overlap"],
    script:
        "../scripts/container.py"

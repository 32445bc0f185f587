"""Masks for other programs and containers for Grand Challenge; made on request."""


# A sample's name may hold dots.
ruleorder: export_labels > export
ruleorder: export_labels_zarr > export_zarr


rule export:
    """The mask of a volume as OME-TIFF, MHA or NIfTI, by the name of the file."""
    input:
        mask=LAYOUT.segmented(),
    output:
        exported=LAYOUT.exported(),
    log:
        LAYOUT.log("export", "{method}/{structure}/{sample}{suffix}"),
    benchmark:
        LAYOUT.benchmark("export", "{method}/{structure}/{sample}{suffix}")
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
        suffix=r"\.ome\.tif|\.mha|\.nii\.gz",
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(8000),
        runtime=minutes(240),
    script:
        "../scripts/export.py"


use rule export as export_zarr with:
    output:
        exported=directory(LAYOUT.exported(".ome.zarr")),
    log:
        LAYOUT.log("export", "{method}/{structure}/{sample}.ome.zarr"),
    benchmark:
        LAYOUT.benchmark("export", "{method}/{structure}/{sample}.ome.zarr")


use rule export as export_labels with:
    input:
        labels=LAYOUT.segmented(suffix=".labels.h5"),
    output:
        exported=LAYOUT.exported(".labels{suffix}"),
    log:
        LAYOUT.log("export", "{method}/{structure}/{sample}.labels{suffix}"),
    benchmark:
        LAYOUT.benchmark("export", "{method}/{structure}/{sample}.labels{suffix}")


use rule export_zarr as export_labels_zarr with:
    input:
        labels=LAYOUT.segmented(suffix=".labels.h5"),
    output:
        exported=directory(LAYOUT.exported(".labels.ome.zarr")),
    log:
        LAYOUT.log("export", "{method}/{structure}/{sample}.labels.ome.zarr"),
    benchmark:
        LAYOUT.benchmark("export", "{method}/{structure}/{sample}.labels.ome.zarr")


rule container:
    """Pack a trained model as the context of a container, with the paths of the edition."""
    input:
        model=segmenting_model,
    output:
        context=directory(LAYOUT.container()),
    log:
        LAYOUT.log("container", "{method}/{structure}"),
    benchmark:
        LAYOUT.benchmark("container", "{method}/{structure}")
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        slugs=container_slugs,
        channel=channel_of,
        overlap=CONFIG.predict.overlap,
    script:
        "../scripts/container.py"

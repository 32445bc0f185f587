"""Published files to HDF5: annotated patches, test cases, unannotated volumes."""


rule convert_patches:
    """Annotated patches of a structure: NIfTI and the like to one HDF5, masks binarised."""
    input:
        lambda wildcards: receipts(CHALLENGE.sources(wildcards.structure, "patch")),
    output:
        patches="<results>/data/{structure}/patches.h5",
        index="<results>/data/{structure}/patches.tsv",
    log:
        "<logs>/convert_patches/{structure}.log",
    benchmark:
        "<benchmarks>/convert_patches/{structure}.tsv"
    wildcard_constraints:
        structure=any_of(CHALLENGE.structures_with_patches),
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        kind="patches",
        images=lambda wildcards: CHALLENGE.images(wildcards.structure, "patch"),
        archives=f"{config['results']}/archive",
        allow=config["convert"]["allow"],
    script:
        "../scripts/convert_patches.py"


use rule convert_patches as convert_cases with:
    input:
        lambda wildcards: receipts(CHALLENGE.sources(wildcards.structure, "case")),
    output:
        patches="<results>/data/{structure}/cases.h5",
        index="<results>/data/{structure}/cases.tsv",
    log:
        "<logs>/convert_cases/{structure}.log",
    benchmark:
        "<benchmarks>/convert_cases/{structure}.tsv"
    wildcard_constraints:
        structure=any_of(CHALLENGE.structures_with_given_cases),
    params:
        kind="cases",
        images=lambda wildcards: CHALLENGE.images(wildcards.structure, "case"),
        archives=f"{config['results']}/archive",
        allow=["empty-mask", "constant-image", *config["convert"]["allow"]],


rule draw_cases:
    """Test cases where the hidden ones are not available: the split's test patches."""
    input:
        patches="<results>/data/{structure}/patches.h5",
        split="<results>/splits/{structure}.tsv",
    output:
        cases="<results>/data/{structure}/cases.h5",
        index="<results>/data/{structure}/cases.tsv",
    log:
        "<logs>/draw_cases/{structure}.log",
    benchmark:
        "<benchmarks>/draw_cases/{structure}.tsv"
    wildcard_constraints:
        structure=any_of(CHALLENGE.structures_with_drawn_cases),
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    script:
        "../scripts/draw_cases.py"


rule convert_volume:
    """One unannotated volume: a folder of TIFF planes a channel to one chunked HDF5."""
    input:
        lambda wildcards: receipts([volume_row(wildcards)]),
    output:
        volume="<results>/data/{structure}/volumes/{sample}.h5",
        index="<results>/data/{structure}/volumes/{sample}.tsv",
    log:
        "<logs>/convert_volume/{structure}/{sample}.log",
    benchmark:
        "<benchmarks>/convert_volume/{structure}/{sample}.tsv"
    conda:
        "../envs/selma3d.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=720,
    params:
        row=volume_row,
        voxel_size_um=lambda wildcards: CHALLENGE.structures[
            wildcards.structure
        ].voxel_size_um,
        archives=f"{config['results']}/archive",
        work=f"{config['results']}/work/convert_volume/{{structure}}/{{sample}}",
        bad_plane=config["convert"]["bad_plane"],
        remove_planes=lambda wildcards: CHALLENGE.removes_planes(volume_row(wildcards)),
    script:
        "../scripts/convert_volume.py"


rule overview:
    """A look at a structure's annotated images, so that a misread mask is seen before training."""
    input:
        patches="<results>/data/{structure}/{kind}.h5",
    output:
        svg=report(
            "<results>/figures/data/{structure}-{kind}.svg",
            caption="../report/overview.rst",
            category="Data",
            labels={"structure": "{structure}", "images": "{kind}"},
        ),
        png="<results>/figures/data/{structure}-{kind}.png",
        table="<results>/tables/data/{structure}-{kind}.tsv",
    log:
        "<logs>/overview/{structure}-{kind}.log",
    benchmark:
        "<benchmarks>/overview/{structure}-{kind}.tsv"
    wildcard_constraints:
        kind="patches|cases",
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    script:
        "../scripts/overview.py"

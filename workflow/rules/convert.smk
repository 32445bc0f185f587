"""Published files to HDF5: annotated patches, test cases, unannotated volumes."""


rule convert_patches:
    """Annotated patches of a structure: NIfTI and the like to one HDF5, masks binarised."""
    input:
        lambda wildcards: receipts(CHALLENGE.published(wildcards.structure, "patch")),
    output:
        patches=LAYOUT.patches(),
        index=LAYOUT.patches_index(),
    log:
        LAYOUT.log("convert_patches", "{structure}"),
    benchmark:
        LAYOUT.benchmark("convert_patches", "{structure}")
    wildcard_constraints:
        structure=any_of(CHALLENGE.structures_with_patches),
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(120),
    params:
        kind="patches",
        images=lambda wildcards: CHALLENGE.images(wildcards.structure, "patch").plain(),
        archive=place_of_images("patch"),
        state=state_of_images("patch"),
        allow=CONFIG.convert.allow,
    script:
        "../scripts/convert_patches.py"


use rule convert_patches as convert_cases with:
    input:
        lambda wildcards: receipts(CHALLENGE.published(wildcards.structure, "case")),
    output:
        patches=LAYOUT.cases(),
        index=LAYOUT.cases_index(),
    log:
        LAYOUT.log("convert_cases", "{structure}"),
    benchmark:
        LAYOUT.benchmark("convert_cases", "{structure}")
    wildcard_constraints:
        structure=any_of(CHALLENGE.structures_with_given_cases),
    params:
        kind="cases",
        images=lambda wildcards: CHALLENGE.images(wildcards.structure, "case").plain(),
        archive=place_of_images("case"),
        state=state_of_images("case"),
        allow=["empty-mask", "constant-image", *CONFIG.convert.allow],


rule draw_cases:
    """Take the split's test patches as cases, where hidden test cases are not available."""
    input:
        patches=LAYOUT.patches(),
        split=LAYOUT.split(),
    output:
        cases=LAYOUT.cases(),
        index=LAYOUT.cases_index(),
    log:
        LAYOUT.log("draw_cases", "{structure}"),
    benchmark:
        LAYOUT.benchmark("draw_cases", "{structure}")
    wildcard_constraints:
        structure=any_of(CHALLENGE.structures_with_drawn_cases),
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    script:
        "../scripts/draw_cases.py"


rule convert_volume:
    """One unannotated volume: planes, or any format of a microscope, to one chunked HDF5."""
    input:
        lambda wildcards: receipts([volume_row(wildcards)]),
    output:
        volume=LAYOUT.volume(),
        index=LAYOUT.volume_index(),
    log:
        LAYOUT.log("convert_volume", "{structure}/{sample}"),
    benchmark:
        LAYOUT.benchmark("convert_volume", "{structure}/{sample}")
    # Before trainings take the cores one by one: pretraining waits for it.
    priority: 2
    conda:
        "../envs/selma3d.yaml"
    threads: 2
    resources:
        mem_mb=memory(4000),
        runtime=minutes(720),
    params:
        row=lambda wildcards: volume_row(wildcards).plain(),
        voxel_size_um=lambda wildcards: CHALLENGE.structures[
            wildcards.structure
        ].voxel_size_um,
        channel=channel_of,
        archive=lambda wildcards: place_of(volume_row(wildcards).archive),
        state=lambda wildcards: state_of(
            volume_row(wildcards).archive, volume_row(wildcards).images
        ),
        work=LAYOUT.work("convert_volume", "{structure}/{sample}"),
        bad_plane=CONFIG.convert.bad_plane,
        allow=CONFIG.convert.allow,
        remove_planes=lambda wildcards: CHALLENGE.removes_planes(volume_row(wildcards)),
    script:
        "../scripts/convert_volume.py"


rule convert_collection:
    """Many unannotated patches, read one by one from folders or a tar, to one chunked HDF5."""
    input:
        lambda wildcards: receipts([collection_row(wildcards)]),
    output:
        collection=LAYOUT.collection(),
        index=LAYOUT.collection_index(),
    log:
        LAYOUT.log("convert_collection", "{structure}/{sample}"),
    benchmark:
        LAYOUT.benchmark("convert_collection", "{structure}/{sample}")
    # Before trainings take the cores one by one: pretraining waits for it.
    priority: 2
    conda:
        "../envs/selma3d.yaml"
    threads: 2
    resources:
        mem_mb=memory(4000),
        runtime=minutes(1440),
    params:
        row=lambda wildcards: collection_row(wildcards).plain(),
        voxel_size_um=lambda wildcards: CHALLENGE.structures[
            wildcards.structure
        ].voxel_size_um,
        archive=lambda wildcards: place_of(collection_row(wildcards).archive),
        state=lambda wildcards: state_of(
            collection_row(wildcards).archive, collection_row(wildcards).places
        ),
        work=LAYOUT.work("convert_collection", "{structure}/{sample}"),
        allow=CONFIG.convert.allow,
    script:
        "../scripts/convert_collection.py"


rule overview:
    """Draw a structure's annotated images, so that a misread mask is seen before training."""
    input:
        patches=LAYOUT.images(),
    output:
        svg=report(
            LAYOUT.overview(extension="svg"),
            caption="../report/overview.rst",
            category="Data",
            labels={"structure": "{structure}", "images": "{kind}"},
        ),
        png=LAYOUT.overview(extension="png"),
        table=LAYOUT.overview_table(),
    log:
        LAYOUT.log("overview", "{structure}-{kind}"),
    benchmark:
        LAYOUT.benchmark("overview", "{structure}-{kind}")
    wildcard_constraints:
        kind="patches|cases",
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        channel=channel_of,
    script:
        "../scripts/overview.py"

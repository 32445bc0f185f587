"""Masks and objects of whole volumes, block by block."""

SLABS = range(CONFIG.segment.slabs)
WINDOW_KEYS = {"overlap", "batch", "block", "skip_air", "probability"}
VOLUME = "{method}/{structure}/{sample}"  # in the names of jobs


if len(SLABS) == 1:

    # A sample's name may hold dots.
    ruleorder: instances > segment_volume

    rule segment_volume:
        """Segment a volume; a killed job goes on at the block where it stopped."""
        input:
            model=segmenting_model,
            volume=LAYOUT.volume(),
            index=LAYOUT.volume_index(),
        output:
            mask=LAYOUT.segmented(),
        log:
            LAYOUT.log("segment_volume", VOLUME),
        benchmark:
            LAYOUT.benchmark("segment_volume", VOLUME)
        wildcard_constraints:
            method=any_of(CHALLENGE.recipes),
        conda:
            "../envs/selma3d.yaml"
        threads: CONFIG.resources.training_threads
        resources:
            gpu=gpus(CONFIG.resources.gpu),
            mem_mb=memory(CONFIG.resources.training_mem_mb),
            runtime=minutes(CONFIG.segment.minutes),
        params:
            channel=channel_of,
            settings=CONFIG.segment.model_dump(include=WINDOW_KEYS),
            work=LAYOUT.work("segment", VOLUME),
        script:
            "../scripts/segment_volume.py"

else:

    ruleorder: instances > join_slabs

    rule segment_slab:
        """Segment one slab of a volume; slabs share a volume among several GPUs or nodes."""
        input:
            model=segmenting_model,
            volume=LAYOUT.volume(),
            index=LAYOUT.volume_index(),
        output:
            slab=temp(LAYOUT.slab()),
        log:
            LAYOUT.log("segment_slab", f"{VOLUME}/{{slab}}"),
        benchmark:
            LAYOUT.benchmark("segment_slab", f"{VOLUME}/{{slab}}")
        wildcard_constraints:
            method=any_of(CHALLENGE.recipes),
            slab=r"\d+",
        conda:
            "../envs/selma3d.yaml"
        threads: CONFIG.resources.training_threads
        resources:
            gpu=gpus(CONFIG.resources.gpu),
            mem_mb=memory(CONFIG.resources.training_mem_mb),
            runtime=minutes(CONFIG.segment.minutes),
        params:
            slabs=len(SLABS),
            channel=channel_of,
            settings=CONFIG.segment.model_dump(include=WINDOW_KEYS),
            work=LAYOUT.work("segment", f"{VOLUME}/{{slab}}"),
        script:
            "../scripts/segment_slab.py"

    rule join_slabs:
        """Join the slabs of a volume to its mask; drop components that the model calls too small."""
        input:
            model=segmenting_model,
            slabs=[LAYOUT.slab(slab) for slab in SLABS],
        output:
            mask=LAYOUT.segmented(),
        log:
            LAYOUT.log("join_slabs", VOLUME),
        benchmark:
            LAYOUT.benchmark("join_slabs", VOLUME)
        wildcard_constraints:
            method=any_of(CHALLENGE.recipes),
        conda:
            "../envs/selma3d.yaml"
        resources:
            mem_mb=memory(4000),
            runtime=minutes(240),
        script:
            "../scripts/join_slabs.py"


rule instances:
    """Number the objects of a segmented volume; split those that touch."""
    input:
        mask=LAYOUT.segmented(),
    output:
        labels=LAYOUT.segmented(suffix=".labels.h5"),
    log:
        LAYOUT.log("instances", VOLUME),
    benchmark:
        LAYOUT.benchmark("instances", VOLUME)
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(8000),
        runtime=minutes(720),
    params:
        splitting=splitting_of,
    script:
        "../scripts/instances.py"


rule objects:
    """The objects of a volume: place, size, brightness; vessels: length; density; regions."""
    input:
        mask=LAYOUT.segmented(),
        labels=LAYOUT.segmented(suffix=".labels.h5"),
        volume=LAYOUT.volume(),
        annotation=annotation_files,
    output:
        objects=LAYOUT.segmented(suffix=".objects.tsv"),
        vessels=LAYOUT.segmented(suffix=".vessels.tsv"),
        regions=LAYOUT.segmented(suffix=".regions.tsv"),
        density=LAYOUT.segmented(suffix=".density.nii.gz"),
    log:
        LAYOUT.log("objects", VOLUME),
    benchmark:
        LAYOUT.benchmark("objects", VOLUME)
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(8000),
        runtime=minutes(720),
    params:
        channel=channel_of,
        density_um=CONFIG.segment.density_um,
        annotation=annotation_of,
        regions=CONFIG.segment.regions.plain(),
    script:
        "../scripts/objects.py"


rule brain_page:
    """The page of a segmented volume: pictures, numbers, model, settings, warnings."""
    input:
        volume=LAYOUT.volume(),
        mask=LAYOUT.segmented(),
        labels=LAYOUT.segmented(suffix=".labels.h5"),
        objects=LAYOUT.segmented(suffix=".objects.tsv"),
        vessels=LAYOUT.segmented(suffix=".vessels.tsv"),
        regions=LAYOUT.segmented(suffix=".regions.tsv"),
        density=LAYOUT.segmented(suffix=".density.nii.gz"),
        history=segmenting_history,
        training=indexes_of_segmenting_model,
        exported=[
            LAYOUT.exported(".ome.zarr"),
            LAYOUT.exported(".labels.ome.zarr"),
        ],
    output:
        page=LAYOUT.segmented(suffix=".html"),
        summary=LAYOUT.segmented(suffix=".summary.tsv"),
    log:
        LAYOUT.log("brain_page", VOLUME),
    benchmark:
        LAYOUT.benchmark("brain_page", VOLUME)
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(120),
    params:
        named=brain_named,
        channel=channel_of,
        settings=CONFIG.segment.plain(),
    script:
        "../scripts/brain_page.py"


rule brains:
    """The table over all volumes that a method segments, with means by group."""
    input:
        summaries=of_all_brains(".summary.tsv"),
        regions=of_all_brains(".regions.tsv"),
    output:
        table=LAYOUT.brains(suffix=".tsv"),
        groups=LAYOUT.brains(suffix=".groups.tsv"),
        regions=LAYOUT.brains(suffix=".regions.tsv"),
        page=LAYOUT.brains(),
    log:
        LAYOUT.log("brains", "{method}"),
    benchmark:
        LAYOUT.benchmark("brains", "{method}")
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        title=CHALLENGE.edition.title,
    script:
        "../scripts/brains.py"

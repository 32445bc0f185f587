"""Masks and objects of whole volumes, block by block; made on request, not by `all`."""

SLABS = range(CONFIG.segment.slabs)
VOLUME = "{method}/{structure}/{sample}"  # in the names of jobs


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
        gpu=CONFIG.resources.gpu,
        mem_mb=growing_memory,
        runtime=CONFIG.segment.minutes,
    params:
        slabs=len(SLABS),
        channel=channel_of,
        settings=CONFIG.segment.model_dump(exclude={"init", "slabs", "minutes"}),
        work=LAYOUT.work("segment", f"{VOLUME}/{{slab}}"),
    script:
        "../scripts/segment_slab.py"


rule segment_volume:
    """Join the slabs of a volume to its mask; drop components that the model calls too small."""
    input:
        model=segmenting_model,
        slabs=[LAYOUT.slab(slab) for slab in SLABS],
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
    resources:
        mem_mb=4000,
        runtime=240,
    script:
        "../scripts/segment_volume.py"


rule objects:
    """The objects of a segmented volume: place, size, brightness; vessels: length and radius."""
    input:
        mask=LAYOUT.segmented(),
        volume=LAYOUT.volume(),
    output:
        objects=LAYOUT.segmented(suffix=".objects.tsv"),
        vessels=LAYOUT.segmented(suffix=".vessels.tsv"),
    log:
        LAYOUT.log("objects", VOLUME),
    benchmark:
        LAYOUT.benchmark("objects", VOLUME)
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=8000,
        runtime=720,
    params:
        channel=lambda wildcards: CHALLENGE.structures[wildcards.structure].channel,
    script:
        "../scripts/objects.py"

"""Masks and objects of whole volumes, block by block; asked for by name, no part of `all`."""

SLABS = range(config["segment"]["slabs"])
SEGMENTED = "<results>/segmentations/{method}/{structure}/{sample}"


rule segment_slab:
    """Segment one slab of a volume; slabs share a volume among several GPUs or nodes."""
    input:
        model=segmenting_model,
        volume="<results>/data/{structure}/volumes/{sample}.h5",
        index="<results>/data/{structure}/volumes/{sample}.tsv",
    output:
        slab=temp(f"{SEGMENTED}.slabs/{{slab}}.h5"),
    log:
        "<logs>/segment_slab/{method}/{structure}/{sample}/{slab}.log",
    benchmark:
        "<benchmarks>/segment_slab/{method}/{structure}/{sample}/{slab}.tsv"
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
        slab=r"\d+",
    conda:
        "../envs/selma3d.yaml"
    threads: config["resources"]["training_threads"]
    resources:
        gpu=config["resources"]["gpu"],
        mem_mb=lambda wildcards, attempt: config["resources"]["training_mem_mb"]
        * attempt,
        runtime=config["segment"]["minutes"],
    params:
        slabs=len(SLABS),
        settings={
            key: config["segment"][key]
            for key in ("overlap", "batch", "block", "skip_air", "probability")
        },
        work=f"{config['results']}/work/segment/{{method}}/{{structure}}/{{sample}}/{{slab}}",
    script:
        "../scripts/segment_slab.py"


rule segment_volume:
    """Join the slabs of a volume to its mask; drop components that the model calls too small."""
    input:
        model=segmenting_model,
        slabs=expand(f"{SEGMENTED}.slabs/{{slab}}.h5", slab=SLABS, allow_missing=True),
    output:
        mask=f"{SEGMENTED}.h5",
    log:
        "<logs>/segment_volume/{method}/{structure}/{sample}.log",
    benchmark:
        "<benchmarks>/segment_volume/{method}/{structure}/{sample}.tsv"
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
        mask=f"{SEGMENTED}.h5",
        volume="<results>/data/{structure}/volumes/{sample}.h5",
    output:
        objects=f"{SEGMENTED}.objects.tsv",
        vessels=f"{SEGMENTED}.vessels.tsv",
    log:
        "<logs>/objects/{method}/{structure}/{sample}.log",
    benchmark:
        "<benchmarks>/objects/{method}/{structure}/{sample}.tsv"
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

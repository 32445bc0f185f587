"""Encoders to share: packed for others, asked for by name; and others' packs to start from."""


rule pack_encoder:
    """An encoder with its card, the licence of its images and checksums: one zip."""
    input:
        encoder="<results>/encoders/{method}/{group}/{pretext}-s{seed}.pt",
        history="<results>/encoders/{method}/{group}/{pretext}-s{seed}.tsv",
    output:
        pack="<results>/packs/{method}/{group}/{pretext}-s{seed}.zip",
    log:
        "<logs>/pack_encoder/{method}/{group}/{pretext}-s{seed}.log",
    benchmark:
        "<benchmarks>/pack_encoder/{method}/{group}/{pretext}-s{seed}.tsv"
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
        pretext=rf"(?!{PACKED})[a-z0-9_-]+",
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        method=lambda wildcards: {
            key: METHODS[wildcards.method].settings[key]
            for key in ("title", "idea", "citation", "licence")
        },
        licences=lambda wildcards: sorted(
            {
                CHALLENGE.archives[row["archive"]]["licence"]
                for row in volumes_to_learn_from(wildcards)
            }
        ),
    script:
        "../scripts/pack_encoder.py"


rule unpack_encoder:
    """Start from an encoder made elsewhere, once its checksums are checked."""
    input:
        pack=pack_of,
    output:
        encoder="<results>/encoders/{method}/{group}/{pretext}-s{seed}.pt",
        history="<results>/encoders/{method}/{group}/{pretext}-s{seed}.tsv",
    log:
        "<logs>/pretrain/{method}/{group}/{pretext}-s{seed}.log",
    benchmark:
        "<benchmarks>/pretrain/{method}/{group}/{pretext}-s{seed}.tsv"
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
        pretext=rf"{PACKED}[a-z0-9-]+",
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        input=lambda wildcards: METHODS[wildcards.method].recipe["input"],
    script:
        "../scripts/unpack_encoder.py"

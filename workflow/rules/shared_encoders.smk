"""Shared encoders: packs for others, made on request, and packs of others to start from."""


rule pack_encoder:
    """An encoder with its card, the licence of its images and checksums: one zip."""
    input:
        encoder=LAYOUT.encoder(),
        history=LAYOUT.encoder_history(),
    output:
        pack=LAYOUT.pack(),
    log:
        LAYOUT.log("pack_encoder", of_encoder()),
    benchmark:
        LAYOUT.benchmark("pack_encoder", of_encoder())
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
        pretext=rf"(?!{PACKED})[a-z0-9_-]+",
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(30),
    params:
        method=lambda wildcards: METHODS[wildcards.method].about.model_dump(
            include={"title", "idea", "citation", "licence"}
        ),
        licences=lambda wildcards: sorted(
            {
                CHALLENGE.archives[volume.archive].licence
                for volume in volumes_to_learn_from(wildcards)
            }
        ),
    script:
        "../scripts/pack_encoder.py"


rule unpack_encoder:
    """Start from an encoder made elsewhere, once its checksums are checked."""
    input:
        pack=pack_of,
    output:
        encoder=LAYOUT.encoder(),
        history=LAYOUT.encoder_history(),
    log:
        LAYOUT.log("pretrain", of_encoder()),
    benchmark:
        LAYOUT.benchmark("pretrain", of_encoder())
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
        pretext=rf"{PACKED}[a-z0-9-]+",
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(30),
    params:
        input=lambda wildcards: METHODS[wildcards.method].recipe.input.plain(),
    script:
        "../scripts/unpack_encoder.py"

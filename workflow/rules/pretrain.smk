"""Self-supervised pretraining: unannotated volumes to encoders."""


rule pretrain:
    """Learn an encoder for one group of structures from its unannotated volumes."""
    input:
        volumes=lambda wildcards: ancient(
            volume_files(volumes_to_learn_from(wildcards))
        ),
        indexes=lambda wildcards: volume_indexes(volumes_to_learn_from(wildcards)),
        splits=lambda wildcards: splits_of(
            CHALLENGE.learnt_from(wildcards.method, wildcards.group, wildcards.pretext)
        ),
    output:
        encoder=LAYOUT.encoder(),
        history=LAYOUT.encoder_history(),
    log:
        LAYOUT.log("pretrain", of_encoder()),
    benchmark:
        LAYOUT.benchmark("pretrain", of_encoder())
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
        pretext=rf"(?!{PACKED})[a-z0-9_-]+",
    priority: 1  # most fine-tunings wait for it
    conda:
        "../envs/selma3d.yaml"
    threads: CONFIG.resources.training_threads
    resources:
        gpu=gpus(CONFIG.resources.gpus_of_training),
        mem_mb=memory(CONFIG.resources.training_mem_mb),
        runtime=minutes(CONFIG.resources.pretrain_minutes),
    params:
        recipe=lambda wildcards: METHODS[wildcards.method]
        .recipe.pretraining(wildcards.pretext)
        .plain(),
        channels=lambda wildcards: volume_channels(volumes_to_learn_from(wildcards)),
        work=LAYOUT.work("pretrain", of_encoder()),
    script:
        "../scripts/pretrain.py"

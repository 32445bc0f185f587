"""Fine-tuning: an encoder, or none, and a few annotated patches to a model."""


rule finetune:
    """Train a segmentation model for one target, the same protocol for every initialisation."""
    input:
        patches=lambda wildcards: ancient(patches_learnt(wildcards)),
        indexes=indexes_learnt,
        splits=splits_learnt,
        encoder=encoder_of,
        checked=lambda wildcards: ancient(encoder_checked(wildcards)),
        volumes=lambda wildcards: ancient(volume_files(unlabelled_volumes(wildcards))),
        volume_indexes=lambda wildcards: volume_indexes(unlabelled_volumes(wildcards)),
    output:
        model=LAYOUT.model(),
        history=LAYOUT.model_history(),
    log:
        LAYOUT.log("finetune", of_model()),
    benchmark:
        LAYOUT.benchmark("finetune", of_model())
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
        target=any_of(TARGETS),
        run=TRAINED_MODEL,
    conda:
        "../envs/selma3d.yaml"
    threads: CONFIG.resources.training_threads
    resources:
        gpu=CONFIG.resources.gpu,
        mem_mb=training_memory,
        runtime=CONFIG.resources.finetune_minutes,
    params:
        recipe=lambda wildcards: METHODS[wildcards.method].recipe.finetuning().plain(),
        learns=lambda wildcards: TARGETS[wildcards.target].learns,
        channels=lambda wildcards: {
            name: CHALLENGE.structures[name].channel
            for name in (
                *TARGETS[wildcards.target].learns,
                *TARGETS[wildcards.target].segments,
            )
        },
        volume_channels=lambda wildcards: volume_channels(unlabelled_volumes(wildcards)),
        work=LAYOUT.work("finetune", of_model()),
    script:
        "../scripts/finetune.py"

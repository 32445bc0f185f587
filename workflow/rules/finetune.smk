"""Fine-tuning: an encoder, or none, and a few annotated patches to a model."""

FINETUNED = list(models_of(CHALLENGE))


rule finetune:
    """Train a segmentation model for one target, the same protocol for every initialisation."""
    input:
        patches=patches_learnt,
        indexes=indexes_learnt,
        splits=splits_learnt,
        encoder=encoder_of,
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
        gpu=gpus(CONFIG.resources.gpus_of_training),
        mem_mb=memory(CONFIG.resources.training_mem_mb),
        runtime=minutes(CONFIG.resources.finetune_minutes),
    params:
        recipe=lambda wildcards: METHODS[wildcards.method].recipe.finetuning().plain(),
        sources=sources_learnt,
        volume_channels=lambda wildcards: volume_channels(unlabelled_volumes(wildcards)),
        work=LAYOUT.work("finetune", of_model()),
    script:
        "../scripts/finetune.py"


# Seconds, like the rules of the report.
localrules:
    ways,


rule ways:
    """Compare the ways and rates of all fine-tunings; nothing of the test cases is made or read."""
    input:
        histories=[LAYOUT.model_history(*model) for model in FINETUNED],
    output:
        table=LAYOUT.ways(),
        text=LAYOUT.ways("md"),
    log:
        LAYOUT.log("ways", "all"),
    benchmark:
        LAYOUT.benchmark("ways", "all")
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        trainings=[
            [method, target.name, run.model] for method, target, run in FINETUNED
        ],
    script:
        "../scripts/ways.py"

"""Fine-tuning: an encoder, or none, and a few annotated patches to a model."""


rule finetune:
    """Train a segmentation model for one target, the same protocol for every initialisation."""
    input:
        patches=lambda wildcards: ancient(
            [
                f"<results>/data/{name}/patches.h5"
                for name in TARGETS[wildcards.target].learns
            ]
        ),
        indexes=lambda wildcards: [
            f"<results>/data/{name}/patches.tsv"
            for name in TARGETS[wildcards.target].learns
        ],
        splits=lambda wildcards: [
            f"<results>/splits/{name}.tsv" for name in TARGETS[wildcards.target].learns
        ],
        encoder=encoder_of,
        checked=lambda wildcards: ancient(encoder_checked(wildcards)),
        volumes=lambda wildcards: ancient(unlabelled_volumes(wildcards, ".h5")),
        volume_indexes=lambda wildcards: unlabelled_volumes(wildcards, ".tsv"),
    output:
        model="<results>/models/{method}/{target}/{run}.pt",
        history="<results>/models/{method}/{target}/{run}.tsv",
    log:
        "<logs>/finetune/{method}/{target}/{run}.log",
    benchmark:
        "<benchmarks>/finetune/{method}/{target}/{run}.tsv"
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
        target=any_of(TARGETS),
        run=TRAINED_RUN,
    conda:
        "../envs/selma3d.yaml"
    threads: config["resources"]["training_threads"]
    resources:
        gpu=config["resources"]["gpu"],
        mem_mb=training_memory,
        runtime=config["resources"]["finetune_minutes"],
    params:
        recipe=lambda wildcards: METHODS[wildcards.method].finetuning_recipe(),
        learns=lambda wildcards: TARGETS[wildcards.target].learns,
        channels=lambda wildcards: {
            name: CHALLENGE.structures[name].channel
            for name in (
                *TARGETS[wildcards.target].learns,
                *TARGETS[wildcards.target].segments,
            )
        },
        volume_channels=lambda wildcards: channels_of(TARGETS[wildcards.target].group),
        work=f"{config['results']}/work/finetune/{{method}}/{{target}}/{{run}}",
    script:
        "../scripts/finetune.py"

"""What this machine makes of each recipe; asked for by name (`throughput`), no part of `all`."""

# The target whose structures throughput is measured on: one stands for all.
TIMED_ON = next(iter(TARGETS.values()))
TIMED = sorted(
    {(method, pretext) for method, _, pretext, _ in encoders_of(CHALLENGE)}
    | {(method, "finetune") for method in CHALLENGE.recipes}
)


rule throughput:
    """Steps a second of every training, and which precision and workers to put into the recipe."""
    input:
        [f"<results>/throughput/{method}/{section}.tsv" for method, section in TIMED],


rule pretraining_throughput:
    """Time a few steps of a pretext at each precision, layout and number of workers."""
    input:
        volumes=volumes_of(TIMED_ON.group, ".h5"),
        indexes=volumes_of(TIMED_ON.group, ".tsv"),
    output:
        table="<results>/throughput/{method}/{pretext}.tsv",
    log:
        "<logs>/throughput/{method}/{pretext}.log",
    benchmark:
        "<benchmarks>/throughput/{method}/{pretext}.tsv"
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
        pretext="(?!finetune)[a-z0-9_-]+",
    conda:
        "../envs/selma3d.yaml"
    threads: config["resources"]["training_threads"]
    resources:
        gpu=config["resources"]["gpu"],
        mem_mb=config["resources"]["training_mem_mb"],
        runtime=120,
    params:
        recipe=lambda wildcards: METHODS[wildcards.method].pretraining_recipe(
            wildcards.pretext
        ),
        channels=channels_of(TIMED_ON.group),
        work=f"{config['results']}/work/throughput/{{method}}/{{pretext}}",
    script:
        "../scripts/pretraining_throughput.py"


rule finetuning_throughput:
    """Time a few steps of fine-tuning as it is done, data included."""
    input:
        patches=[f"<results>/data/{name}/patches.h5" for name in TIMED_ON.learns],
        indexes=[f"<results>/data/{name}/patches.tsv" for name in TIMED_ON.learns],
        splits=[f"<results>/splits/{name}.tsv" for name in TIMED_ON.learns],
    output:
        table="<results>/throughput/{method}/finetune.tsv",
    log:
        "<logs>/throughput/{method}/finetune.log",
    benchmark:
        "<benchmarks>/throughput/{method}/finetune.tsv"
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
    conda:
        "../envs/selma3d.yaml"
    threads: config["resources"]["training_threads"]
    resources:
        gpu=config["resources"]["gpu"],
        mem_mb=config["resources"]["training_mem_mb"],
        runtime=120,
    params:
        recipe=lambda wildcards: METHODS[wildcards.method].finetuning_recipe(),
        learns=TIMED_ON.learns,
        channels=[CHALLENGE.structures[name].channel for name in TIMED_ON.learns],
        work=f"{config['results']}/work/throughput/{{method}}/finetune",
    script:
        "../scripts/finetuning_throughput.py"

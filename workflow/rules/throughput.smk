"""Training speed of each recipe on this machine, measured on request (target `throughput`)."""

# The target whose structures throughput is measured on: one stands for all.
TIMED_ON = next(iter(TARGETS.values()))
TIMED_VOLUMES = CHALLENGE.volumes(TIMED_ON.group)
TIMED = sorted(
    {(e.method, e.pretext) for e in encoders_of(CHALLENGE) if not e.is_packed}
    | {(method, "finetune") for method in CHALLENGE.recipes}
)


rule throughput:
    """Steps a second of every training, and which precision and workers to put into the recipe."""
    input:
        [LAYOUT.throughput(method, section) for method, section in TIMED],


rule pretraining_throughput:
    """Time a few steps of a pretext at each precision, layout and number of workers."""
    input:
        volumes=volume_files(TIMED_VOLUMES),
        indexes=volume_indexes(TIMED_VOLUMES),
    output:
        table=LAYOUT.throughput(),
    log:
        LAYOUT.log("throughput", "{method}/{pretext}"),
    benchmark:
        LAYOUT.benchmark("throughput", "{method}/{pretext}")
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
        pretext="(?!finetune)[a-z0-9_-]+",
    conda:
        "../envs/selma3d.yaml"
    threads: CONFIG.resources.training_threads
    resources:
        gpu=gpus(CONFIG.resources.gpu),
        mem_mb=memory(CONFIG.resources.training_mem_mb),
        runtime=minutes(120),
    params:
        recipe=lambda wildcards: METHODS[wildcards.method]
        .recipe.pretraining(wildcards.pretext)
        .plain(),
        channels=volume_channels(TIMED_VOLUMES),
        work=LAYOUT.work("throughput", "{method}/{pretext}"),
    script:
        "../scripts/pretraining_throughput.py"


rule finetuning_throughput:
    """Time a few steps of fine-tuning as it is done, data included."""
    input:
        patches=[LAYOUT.patches(name) for name in TIMED_ON.learns],
        indexes=[LAYOUT.patches_index(name) for name in TIMED_ON.learns],
        splits=[LAYOUT.split(name) for name in TIMED_ON.learns],
    output:
        table=LAYOUT.throughput(section="finetune"),
    log:
        LAYOUT.log("throughput", "{method}/finetune"),
    benchmark:
        LAYOUT.benchmark("throughput", "{method}/finetune")
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
    conda:
        "../envs/selma3d.yaml"
    threads: CONFIG.resources.training_threads
    resources:
        gpu=gpus(CONFIG.resources.gpu),
        mem_mb=memory(CONFIG.resources.training_mem_mb),
        runtime=minutes(120),
    params:
        recipe=lambda wildcards: METHODS[wildcards.method].recipe.finetuning().plain(),
        learns=TIMED_ON.learns,
        channels=[CHALLENGE.structures[name].channel for name in TIMED_ON.learns],
        work=LAYOUT.work("throughput", "{method}/finetune"),
    script:
        "../scripts/finetuning_throughput.py"

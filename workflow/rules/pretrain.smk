"""Self-supervised pretraining: unannotated volumes to encoders."""


rule pretrain:
    """Learn an encoder for one group of structures from its unannotated volumes."""
    input:
        volumes=lambda wildcards: ancient(
            volume_paths(volumes_to_learn_from(wildcards), ".h5")
        ),
        indexes=lambda wildcards: volume_paths(volumes_to_learn_from(wildcards), ".tsv"),
        checked=lambda wildcards: ancient(
            specimens_checked(
                CHALLENGE.learnt_from(
                    wildcards.method, wildcards.group, wildcards.pretext
                )
            )
        ),
    output:
        encoder="<results>/encoders/{method}/{group}/{pretext}-s{seed}.pt",
        history="<results>/encoders/{method}/{group}/{pretext}-s{seed}.tsv",
    log:
        "<logs>/pretrain/{method}/{group}/{pretext}-s{seed}.log",
    benchmark:
        "<benchmarks>/pretrain/{method}/{group}/{pretext}-s{seed}.tsv"
    wildcard_constraints:
        method=any_of(CHALLENGE.recipes),
        pretext=rf"(?!{PACKED})[a-z0-9_-]+",
    conda:
        "../envs/selma3d.yaml"
    threads: config["resources"]["training_threads"]
    resources:
        gpu=config["resources"]["gpu"],
        mem_mb=training_memory,
        runtime=config["resources"]["pretrain_minutes"],
    params:
        recipe=lambda wildcards: METHODS[wildcards.method].pretraining_recipe(
            wildcards.pretext
        ),
        channels=lambda wildcards: [
            CHALLENGE.channel(row) for row in volumes_to_learn_from(wildcards)
        ],
        work=f"{config['results']}/work/pretrain/{{method}}/{{group}}/{{pretext}}-s{{seed}}",
    script:
        "../scripts/pretrain.py"

"""nnU-Net v2, the published package, in an environment of its own."""


rule nnunet_train:
    """Plan and train nnU-Net on the patches of one run; its weights are a pickle of its own."""
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
        installed=installed_for("nnunet"),
    output:
        model="<results>/models/nnunet/{target}/{run}.zip",
        history="<results>/models/nnunet/{target}/{run}.tsv",
    log:
        "<logs>/nnunet/train/{target}/{run}.log",
    benchmark:
        "<benchmarks>/nnunet/train/{target}/{run}.tsv"
    wildcard_constraints:
        target=any_of(TARGETS),
        run=TRAINED_RUN,
    conda:
        "../../envs/selma3d.yaml"
    threads: config["resources"]["training_threads"]
    resources:
        gpu=config["resources"]["gpu"],
        mem_mb=lambda wildcards, attempt: config["resources"]["training_mem_mb"]
        * attempt,
        runtime=config["resources"]["finetune_minutes"],
    params:
        settings=METHODS["nnunet"].settings["settings"],
        environment=lambda wildcards: environment_of("nnunet"),
        learns=lambda wildcards: TARGETS[wildcards.target].learns,
        channels=lambda wildcards: [
            CHALLENGE.structures[name].channel
            for name in TARGETS[wildcards.target].learns
        ],
        work=f"{config['results']}/work/nnunet/{{target}}/{{run}}",
    script:
        "../../scripts/nnunet_train.py"


for target in TARGETS.values():
    if not target.segments:
        continue

    rule:
        name:
            f"nnunet_predict_{target.name.replace('-', '_')}"
        input:
            model=f"<results>/models/nnunet/{target.name}/{{run}}.zip",
            history=f"<results>/models/nnunet/{target.name}/{{run}}.tsv",
            cases=[
                f"<results>/data/{CHALLENGE.structures[name].cases_of}/cases.h5"
                for name in target.segments
            ],
            installed=ancient(installed_for("nnunet")),
        output:
            predictions=[
                f"<results>/predictions/nnunet/{name}/{{run}}{target.suffix}.h5"
                for name in target.segments
            ],
        log:
            f"<logs>/nnunet/predict/{target.name}/{{run}}.log",
        benchmark:
            f"<benchmarks>/nnunet/predict/{target.name}/{{run}}.tsv"
        wildcard_constraints:
            run=TRAINED_RUN,
        conda:
            "../../envs/selma3d.yaml"
        threads: config["resources"]["training_threads"]
        resources:
            gpu=config["resources"]["gpu"],
            mem_mb=lambda wildcards, attempt: config["resources"]["training_mem_mb"]
            * attempt,
            runtime=config["resources"]["predict_minutes"],
        params:
            settings=METHODS["nnunet"].settings["settings"],
            environment=lambda wildcards: environment_of("nnunet"),
            structures=target.segments,
            channels=[CHALLENGE.structures[name].channel for name in target.segments],
        script:
            "../../scripts/nnunet_predict.py"

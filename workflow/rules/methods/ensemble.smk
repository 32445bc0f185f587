"""An ensemble of other methods; its members are in its method file."""


rule ensemble:
    """Join the members' masks by vote."""
    input:
        members=ensemble_members,
    output:
        predictions=LAYOUT.prediction("ensemble"),
    log:
        LAYOUT.log("ensemble", "{structure}/{run}"),
    benchmark:
        LAYOUT.benchmark("ensemble", "{structure}/{run}")
    wildcard_constraints:
        run=TRAINED_RUN,
    conda:
        "../../envs/selma3d.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        combine=METHODS["ensemble"].settings["combine"],
    script:
        "../../scripts/ensemble.py"

"""An ensemble of other methods; its members are in its method file."""


rule ensemble:
    """Put the members' masks to the vote."""
    input:
        members=ensemble_members,
    output:
        predictions="<results>/predictions/ensemble/{structure}/{run}.h5",
    log:
        "<logs>/ensemble/{structure}/{run}.log",
    benchmark:
        "<benchmarks>/ensemble/{structure}/{run}.tsv"
    wildcard_constraints:
        run=rf"{TRAINED_RUN}(?:-one)?",
    conda:
        "../../envs/selma3d.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        way=METHODS["ensemble"].settings["settings"]["combine"],
    script:
        "../../scripts/ensemble.py"

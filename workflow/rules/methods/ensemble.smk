"""An ensemble of other methods; its members are in its method file."""

from dataclasses import replace


def _ensemble_members(wildcards):
    """Predictions of the members that segment a structure, of the ensemble's run."""
    run = Run.parse(wildcards.run)
    paths = []
    for member in METHODS["ensemble"].settings["settings"]["members"]:
        name = member["method"]
        if name not in METHODS or name == "ensemble":
            raise WorkflowError(
                f"method ensemble: members: expected methods that take part, found {name!r} "
                f"(taking part: {', '.join(METHODS)}; see NOT TAKING PART above)"
            )
        if wildcards.structure not in CHALLENGE.structures_of(name):
            continue
        asked = CHALLENGE.runs(name, wildcards.structure)
        chosen = replace(run, init=member["init"]) if "init" in member else Run()
        if chosen not in asked:
            raise WorkflowError(
                f"method ensemble: members: {name}: expected a run that the config asks for, "
                f"found {chosen.name!r} (known: {', '.join(r.name for r in asked)})"
            )
        paths.append(
            f"<results>/predictions/{name}/{wildcards.structure}/{chosen.name}.h5"
        )
    return paths


rule ensemble:
    """Put the members' masks to the vote."""
    input:
        members=_ensemble_members,
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

"""Foreign results: masks that someone else made take part without any training."""

from selma3d.foreign import sources


def foreign_masks(wildcards):
    """The files that hold a foreign method's masks of a structure."""
    predictions = CHALLENGE.foreign_predictions(wildcards.method)
    try:
        return [str(path) for path in sources(predictions, wildcards.structure)]
    except InputError as error:
        raise WorkflowError(str(error)) from None


def cases_of_others(wildcards):
    """Indexes of the other structures' cases: one predictions.json may hold masks of them all."""
    own = CHALLENGE.structures[wildcards.structure].cases_of
    all_cases = {CHALLENGE.structures[name].cases_of for name in CHALLENGE.scored}
    return [f"<results>/data/{name}/cases.tsv" for name in sorted(all_cases - {own})]


rule foreign:
    """Check masks that someone else made against the test cases; binarise them."""
    input:
        masks=foreign_masks,
        cases=cases_of,
        others=cases_of_others,
    output:
        predictions="<results>/predictions/{method}/{structure}/default.h5",
    log:
        "<logs>/foreign/{method}/{structure}.log",
    benchmark:
        "<benchmarks>/foreign/{method}/{structure}.tsv"
    wildcard_constraints:
        method=any_of(CHALLENGE.foreign),
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        predictions=lambda wildcards: str(
            CHALLENGE.foreign_predictions(wildcards.method)
        ),
        structures=list(CHALLENGE.structures),
    script:
        "../scripts/foreign.py"

"""Scores: every prediction of a method on a structure, checked and compared with the truth.

References of the cases stand beside them.
"""


rule check:
    """Check what a method's own rule has written as soon as it is there: masks of all cases."""
    input:
        cases=cases_of,
        predictions=LAYOUT.prediction(),
    output:
        checked=LAYOUT.check(),
    log:
        LAYOUT.log("check", of_run()),
    benchmark:
        LAYOUT.benchmark("check", of_run())
    wildcard_constraints:
        run=rf"default|{TRAINED_RUN}",
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        complete=lambda wildcards: not METHODS[wildcards.method].is_foreign,
    script:
        "../scripts/check.py"


rule score:
    """Score all runs of a method on a structure; a truth is prepared once for all of them."""
    input:
        cases=cases_of,
        predictions=predictions_of,
        checked=checks_of,
    output:
        scores=LAYOUT.scores(),
        faults=LAYOUT.faults(),
    log:
        LAYOUT.log("score", "{method}/{structure}"),
    benchmark:
        LAYOUT.benchmark("score", "{method}/{structure}")
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(240),
    params:
        edition=CONFIG.edition,
        phase=CONFIG.phase,
        profile=CHALLENGE.edition.metric_profile,
        structure=lambda wildcards: CHALLENGE.structures[
            wildcards.structure
        ].description,
        tracks=list(CONFIG.tracks),
        complete=lambda wildcards: not METHODS[wildcards.method].is_foreign,
        partial=CONFIG.partial,
    script:
        "../scripts/score.py"


rule references:
    """Find what scores the labels of each test case allow: best threshold, label moved by one."""
    input:
        cases=cases_of,
    output:
        references=LAYOUT.references(),
    log:
        LAYOUT.log("references", "{structure}"),
    benchmark:
        LAYOUT.benchmark("references", "{structure}")
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        channel=channel_of,
    script:
        "../scripts/references.py"


rule metrics_json:
    """A run's scores on a structure in the form of the organisers' metrics.json."""
    input:
        scores=LAYOUT.scores(),
    output:
        metrics=LAYOUT.metrics_json(),
    log:
        LAYOUT.log("metrics_json", of_run()),
    benchmark:
        LAYOUT.benchmark("metrics_json", of_run())
    wildcard_constraints:
        run=ANY_RUN,
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        profile=CHALLENGE.edition.metric_profile,
    script:
        "../scripts/metrics_json.py"

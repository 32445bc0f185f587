"""Environments of methods that bring another package: one each, built once."""


# Where jobs run, there may be no package index.
localrules:
    environment,


rule environment:
    """Build a virtual environment from its pins."""
    input:
        pins=lambda wildcards: str(pins_of(wildcards.method)),
    output:
        installed=installed_for("{method}"),
    log:
        LAYOUT.log("environment", "{method}"),
        program=LAYOUT.program_log("environment", "{method}"),
    benchmark:
        LAYOUT.benchmark("environment", "{method}")
    wildcard_constraints:
        method=any_of([*CHALLENGE.peers, "brainreg"]),
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(120),
    params:
        folder=lambda wildcards: environment_of(wildcards.method),
        existing=lambda wildcards: wildcards.method in CONFIG.environments.existing,
        modules=lambda wildcards: modules_of(wildcards.method),
    script:
        "../scripts/environment.py"

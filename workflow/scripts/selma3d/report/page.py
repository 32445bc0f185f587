"""The page of the report: what the tables say, in the order in which a paper says it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ..challenge.display import Display
from ..challenge.edition import UNKNOWN, Edition, RankingRule
from ..challenge.run import NO_INIT, is_pretrained
from ..challenge.structure import original
from ..images.geometry import lengths_text
from ..ranking.tables import RANKING_TABLES, Tables
from ..scoring.metrics import PROFILES
from . import label_findings, labels, pretraining_findings, ranking_findings, viewer
from .account import Account, accounted
from .case_rows import first_row, printed_cases
from .cost_findings import what_it_cost
from .data_urls import data_url, size_px
from .drawing.canvas import sentence_of
from .gains import budgets_in_order
from .page_contents import ShownFigure, ShownTable
from .pipeline import steps
from .shown import Requested
from .table_formats import Printed
from .tables import TABLES, tsv_rows
from .templates import write_page

TRACKS = {
    "per-type": "one model for each structure type",
    "one-model": "one model for all structures",
}

# The story in its order, by the id of each part: its title, and a shorter one for the navigation.
SECTIONS = {
    "summary": ("In short", "In short"),
    "what": ("What was learnt from what", "What from what"),
    "results": ("Results by structure", "Results"),
    "gains": ("What pretraining gained", "Pretraining"),
    "sure": ("How sure is the ranking?", "How sure"),
    "images": ("Images", "Images"),
    "cases": ("Cases", "Cases"),
    "data": ("The data", "Data"),
    "methods": ("Methods and their cost", "Methods, cost"),
    "brains": ("Whole volumes", "Whole volumes"),
    "caveats": ("Caveats", "Caveats"),
    "account": ("Reporting guidelines", "Guidelines"),
    "files": ("All figures, tables and files", "Files"),
    "provenance": ("Provenance", "Provenance"),
}
# Where figures of a category stand; all others among the results.
SECTION_OF = {
    "Pretraining": "gains",
    "Stability of the ranking": "sure",
    "Images": "images",
    "How good a score can be": "cases",
    "Shown, not ranked": "cases",
    "Cost": "methods",
    "Training": "methods",
}

GROUPS = {
    "scored_as": "structure type",
    "group": "pretraining group",
    "target": "fine-tuned model",
}


@dataclass(frozen=True)
class ReportContent:
    """What a report is made of.

    tracks: {track: ranking tables by name}. figures, tables: in the order
    of the page. overviews: figures of the data. missing: what an unfinished run lacks. left_out:
    methods that do not take part, and why. caveats: what the workflow knows and the tables do not
    (held-out split, synthetic images, unknown voxel sizes). provenance: commit, versions,
    configuration, anything else worth keeping. account: what readers are owed besides. brains: by
    method, the page of its whole volumes. requested: numbers of images and models.
    stacks, volumes: cases and whole volumes of the viewer; exports: the same for other
    programs. gallery: its page, to which entrants link. rows: files of ranking
    tables by track and name.
    """

    edition: Edition
    display: Display
    tracks: Mapping[str, Tables]
    figures: Sequence[ShownFigure]
    tables: Sequence[ShownTable]
    overviews: Sequence[ShownFigure]
    missing: Sequence[str]
    left_out: Sequence[str]
    caveats: Sequence[str]
    provenance: Mapping[str, Any]
    brains: Mapping[str, Path] = field(default_factory=dict)
    account: Account = field(default_factory=Account)
    requested: Requested | None = None
    stacks: Sequence[viewer.Stacks] = ()
    volumes: Sequence[Mapping[str, Any]] = ()
    exports: viewer.Exports = field(default_factory=viewer.Exports)
    gallery: Path | None = None
    rows: Mapping[tuple[str, str], Path] = field(default_factory=dict)


def write_report(path: str | Path, results: ReportContent) -> None:
    """Write the report as one HTML file that needs no other and no network.

    Its script sorts tables and shows stacks; nothing in the text needs it. Raises InputError for a
    figure that cannot be read.
    """
    results = replace(results, figures=_in_page_order(results.figures))
    edition, display, tracks = results.edition, results.display, results.tracks
    folder = Path(path).parent
    numbered = [_figure(figure, str(n)) for n, figure in enumerate(results.figures, start=1)]
    exports = results.exports.beside(folder)
    cases = viewer.viewer_cases(results.stacks, tracks, display, exports)
    first = next(iter(tracks.values()), {})
    volumes = viewer.viewer_volumes(results.volumes, first, display, exports)
    shown = _Shown(folder, results, numbered, cases)
    write_page(
        path,
        "report.html.j2",
        ("report.css",),
        edition=edition,
        lead=re.split(r"(?<=\.)\s", edition.description, maxsplit=1)[0],
        partial=list(results.missing),
        left_out=list(results.left_out),
        tracks=[_track(name, tables, shown) for name, tables in tracks.items()],
        sections=SECTIONS,
        runs=[_what_ran(name, tables, display) for name, tables in tracks.items()],
        steps=steps(results.requested, tracks) if results.requested else [],
        structures=_structures(edition, tracks, display),
        archives=_archives(edition),
        profile=PROFILES[edition.metric_profile],
        groups_by=_groups_by(edition.ranking),
        overviews=[_figure(figure, f"D{n}") for n, figure in enumerate(results.overviews, start=1)],
        brains={
            display.method(name): os.path.relpath(page, folder)
            for name, page in results.brains.items()
        },
        trainings=[figure for figure in numbered if not figure["track"]],
        gallery=shown.link(results.gallery),
        picture=viewer.picture(cases),
        worst=viewer.worst(cases),
        cases=cases,
        volumes=volumes,
        viewed={
            "colours": viewer.COLOURS,
            "cases": [
                {name: value for name, value in one.items() if name != "tiles"}
                for one in (*cases, *volumes)
            ],
        },
        files=_files(results, folder),
        caveats=[
            *results.caveats,
            *_own_caveats(edition, tracks, display),
            *_nothing_published(edition, results.figures),
        ],
        missing=_missing(tracks),
        account=accounted(results.account, tracks, results.missing, display),
        provenance={name: _readable(value) for name, value in results.provenance.items()},
    )


def _in_page_order(figures: Sequence[ShownFigure]) -> list[ShownFigure]:
    """Figures in the order of the sections that they stand in, by which they are numbered."""
    return sorted(figures, key=lambda figure: list(SECTIONS).index(_section_of(figure.category)))


def _section_of(category: str) -> str:
    return SECTION_OF.get(category, "results")


@dataclass(frozen=True)
class _Shown:
    """What the parts of the page need of each other: figures, cases, and where files lie."""

    folder: Path
    results: ReportContent
    figures: Sequence[Mapping[str, Any]]
    cases: Sequence[Mapping[str, Any]]

    def link(self, path: Path | None) -> str:
        """A file as the page links to it; "" for none."""
        return "" if path is None else os.path.relpath(path, self.folder)

    def rows(self, track: str) -> dict[str, str]:
        """Links to the files of the track's tables, the unrounded numbers, by name; "" for none."""
        none = dict.fromkeys((*RANKING_TABLES, *TABLES.names), "")
        ranking = {n: self.link(path) for (t, n), path in self.results.rows.items() if t == track}
        tables = {
            table.name: self.link(table.paths[0])
            for table in self.results.tables
            if table.track == track
        }
        return none | ranking | tables

    def figures_of(self, track: str) -> dict[str, list[Mapping[str, Any]]]:
        """The track's figures by the section that they stand in."""
        by_section: dict[str, list[Mapping[str, Any]]] = {section: [] for section in SECTIONS}
        for figure in self.figures:
            if figure["track"] == track:
                by_section[_section_of(figure["category"])].append(figure)
        return by_section


def _track(name: str, tables: Tables, shown: _Shown) -> dict[str, Any]:
    display = shown.results.display
    leaderboard = tables["leaderboard"]
    ranges = pretraining_findings.ranges(tables, display)
    sure = ranking_findings.how_sure(tables, display)
    gaps = ranking_findings.gaps_in_data(leaderboard, display)
    places = {(c["structure"], c["case"]): f"#{c['id']}" for c in shown.cases if c["track"] == name}
    return {
        "name": name,
        "meaning": TRACKS.get(name, name),
        "of": f", track {name}" if len(shown.results.tracks) > 1 else "",
        "won": ranking_findings.who_won(tables, display),
        "won_on": ranking_findings.won_on(tables, display),
        "sure": sure,
        "notes": [gap for gap in gaps if not _is_said(gap, sure)],
        "pretraining": pretraining_findings.headline(tables, display),
        "pretraining_details": [
            *pretraining_findings.further_endpoints(tables, display),
            *ranges,
            *pretraining_findings.how_sure(tables),
        ],
        "cost": what_it_cost(tables, display),
        "standings": None if tables["cost"].empty else _printed("standings", tables, display),
        "controls": _printed("controls", tables, display),
        "controls_outcome": pretraining_findings.controls_outcome(tables),
        "gains": Printed(pretraining_findings.by_structure(tables, display), text_columns=5),
        "leaderboard": _leaderboard(leaderboard, shown),
        "further": ranking_findings.further(shown.results.edition, tables, display),
        "further_tables": _further(tables, shown),
        "weighs": label_findings.weights(tables, display),
        "weights": _printed("weights", tables, display),
        "degenerate": label_findings.degenerate(tables, display),
        "reachable": label_findings.reachable(tables, display),
        "doubtful": label_findings.doubtful(tables, display),
        "references": _printed("references", tables, display),
        "described": _printed("described", tables, display),
        "agreement": _printed("agreement", tables, display),
        "scores": _scores(name, tables["by_metric"], display),
        "cases": printed_cases(name, tables, display, places),
        "figures": shown.figures_of(name),
        "rows": shown.rows(name),
    }


def _is_said(gap: str, sentences: Sequence[str]) -> bool:
    """Whether a note on all entrants stands in one of some sentences, too."""
    said = gap.removeprefix("All entrants: ").removesuffix(".")
    return any(said in sentence for sentence in sentences)


def _leaderboard(leaderboard: pd.DataFrame, shown: _Shown) -> Printed:
    """The table without columns of nothing but zeros, each entrant linked to its method's card."""
    printed = TABLES["leaderboard"].printed(leaderboard, shown.results.display)
    if leaderboard.empty:
        return printed
    counts = [c for c in ("Missing predictions", "Undefined values") if c in printed.texts]
    empty = [name for name in counts if (printed.texts[name] == "0").all()]
    texts, gallery = printed.texts.drop(columns=empty), shown.link(shown.results.gallery)
    if not gallery:
        return replace(printed, texts=texts)
    links = pd.DataFrame({"Entrant": [f"{gallery}#{name}" for name in leaderboard["method"]]})
    return replace(printed, texts=texts, links=links)


def _further(tables: Tables, shown: _Shown) -> dict[str, tuple[str, Printed]]:
    """Title and rows of each further leaderboard by name."""
    rows = tables["further_leaderboards"]
    found = {}
    for name, own in rows.groupby("leaderboard", sort=False):
        printed = TABLES["further-leaderboards"].printed(own, shown.results.display)
        texts = printed.texts.drop(columns="Leaderboard")
        found[name] = (own["title"].iloc[0], Printed(texts))
    return found


def _scores(track: str, means: pd.DataFrame, display: Display) -> Printed | None:
    """The table of scores, each number linked to the first of the cases that it is a mean of."""
    if means.empty:
        return None
    printed = TABLES["structures"].printed(means, display)
    rows = [
        f"#{first_row(track, key[0])}"
        for key, _ in means.groupby(["structure", "method", "init"], sort=False)
    ]
    numbers = printed.texts.columns[printed.text_columns :]
    links = pd.DataFrame(
        {
            name: [link if text != "–" else "" for link, text in zip(rows, texts, strict=True)]
            for name, texts in printed.texts[numbers].items()
        }
    )
    return replace(printed, links=links)


def _printed(name: str, tables: Tables, display: Display) -> Printed | None:
    """One of TABLES; None where the first of the tables that it is made of has no row."""
    if tables[TABLES[name].SOURCES[0]].empty:
        return None
    return TABLES[name].printed(tsv_rows(name, tables), display)


def _groups_by(ranking: RankingRule) -> str:
    if ranking.groups is not None:
        return f"the edition’s groups ({labels.listed(list(ranking.groups))})"
    return GROUPS[ranking.groups_by]


def _what_ran(name: str, tables: Tables, display: Display) -> str:
    leaderboard, cases = tables["leaderboard"], tables["cases"]
    if leaderboard.empty or cases.empty:
        return f"Track {name}: nothing has been scored yet."
    methods = [display.method(name) for name in dict.fromkeys(leaderboard["method"])]
    learnt = set(leaderboard["init"]) - {NO_INIT}
    inits = sorted(learnt, key=lambda init: (is_pretrained(init), init))
    started = f", each started from {labels.listed(inits)} where it learns" if inits else ""
    return (
        f"Track {name} ({TRACKS.get(name, name)}): {labels.count(len(methods), 'method')} "
        f"({labels.listed(methods)}){started}, which makes "
        f"{labels.count(len(leaderboard), 'entrant')}; training patches per structure: "
        f"{labels.listed(budgets_in_order(cases))}. The leaderboard is that of every patch."
    )


def _structures(edition: Edition, tracks: Mapping[str, Tables], display: Display) -> Printed:
    rows = []
    scored = _scored_cases(tracks)
    for name in dict.fromkeys([*edition.structures, *scored]):
        is_twin = name not in edition.structures
        described = edition.structures[original(name) if is_twin else name]
        cases, specimens = scored.get(name, (0, 0))
        size = described.voxel_size_um
        rows.append(
            {
                "Structure": display.structure(name),
                "Scored as": described.scored_as,
                "In training": display.in_training(name, described.seen and not is_twin),
                "Voxel size (z, y, x)": size if size == UNKNOWN else f"{lengths_text(size)} µm",
                "Test cases": str(cases) if cases else "none scored",
                "Specimens": (str(specimens) if specimens else "unknown") if cases else "–",
            }
        )
    return Printed(pd.DataFrame(rows), text_columns=4)


def _scored_cases(tracks: Mapping[str, Tables]) -> dict[str, tuple[int, int]]:
    """Number of cases and of known specimens of each scored structure."""
    counts: dict[str, tuple[int, int]] = {}
    for tables in tracks.values():
        for name, group in tables["cases"].groupby("structure", sort=False):
            specimens = set(group["specimen"].fillna(""))
            known = 0 if "" in specimens else len(specimens)
            counts.setdefault(name, (group["case"].nunique(), known))
    return counts


def _archives(edition: Edition) -> Printed:
    kinds = {"slot": "not public: a place for the user's copy", "phantom": "synthetic phantoms"}
    rows = [
        {
            "Archive": name,
            "What it is": archive.accession or kinds.get(archive.kind, archive.kind),
            "Licence": archive.licence,
        }
        for name, archive in edition.archives.items()
    ]
    return Printed(pd.DataFrame(rows, columns=["Archive", "What it is", "Licence"]), text_columns=3)


def _own_caveats(
    edition: Edition,
    tracks: Mapping[str, Tables],
    display: Display,
) -> list[str]:
    """What the edition and the tables themselves show to be limits of the results."""
    caveats = []
    profile = PROFILES[edition.metric_profile]
    if profile.inferred:
        caveats.append(f"The metric definitions ({profile.label}) are inferred: {profile.source}.")
    if edition.ranking.note:
        caveats.append(f"The ranking rule: {edition.ranking.note}")
    if any(archive.kind == "phantom" for archive in edition.archives.values()):
        caveats.append(
            "Images of phantom archives are synthetic: they show that the workflow works, and say "
            "nothing about tissue."
        )
    unknown = [name for name, (_, known) in _scored_cases(tracks).items() if not known]
    if unknown:
        names = labels.listed([display.structure(name) for name in unknown])
        caveats.append(
            f"The specimens of the test cases are unknown for {names}: whether test and training "
            "share an animal cannot be checked, and cases may not be independent."
        )
    for track, tables in tracks.items():
        of = f"Track {track}: " if len(tracks) > 1 else ""
        caveats += [f"{of}{sentence}" for sentence in label_findings.doubtful(tables, display)]
        quirks = ranking_findings.quirks(tables, display)
        caveats += [f"{of}Definitions of metrics: {' '.join(quirks)}"] if quirks else []
    return caveats


def _nothing_published(edition: Edition, figures: Sequence[ShownFigure]) -> list[str]:
    """Whom to ask for published scores, where none stand beside those of real images."""
    drawn = all(archive.kind == "phantom" for archive in edition.archives.values())
    if drawn or any(figure.name == "reported" for figure in figures):
        return []
    return [
        f"No published scores stand beside these: config/reported/{edition.edition}.tsv holds "
        "none. Ask those who have them (of SELMA3D: the organisers, through the challenge's site, "
        "the teams, and the authors of arXiv 2501.03880), and fill it in."
    ]


def _figure(figure: ShownFigure, number: str) -> dict[str, Any]:
    track = f", track {figure.track}" if figure.track else ""
    return {
        "number": number,
        "track": figure.track,
        "category": figure.category,
        "title": figure.title,
        "caption": figure.caption,
        "in_short": re.split(r"(?<=[.;:])\s", figure.caption, maxsplit=1)[0].rstrip(";:."),
        "alt": f"Figure {number}: {figure.title}{track}. See the caption.",
        "source": data_url(figure.path),
        **dict(zip(("width", "height"), size_px(figure.path), strict=True)),
        "said": sentence_of(figure.path) if figure.path.suffix == ".svg" else "",
    }


def _files(results: ReportContent, folder: Path) -> Printed:
    """What a paper shows, and which of our files shows it."""
    figures = [
        {
            "In a paper": figure.in_a_paper or figure.title,
            "Track": figure.track or "all",
            "Here": f"Figure {number}",
            "Files": os.path.relpath(figure.path, folder),
        }
        for number, figure in enumerate(results.figures, start=1)
    ]
    tables = [
        {
            "In a paper": table.in_a_paper,
            "Track": table.track,
            "Here": "–",
            "Files": ", ".join(os.path.relpath(path, folder) for path in table.paths),
        }
        for table in results.tables
    ]
    columns = ["In a paper", "Track", "Here", "Files"]
    texts = pd.DataFrame([*figures, *tables], columns=columns)
    numbers = [f"#figure-{n}" for n, _ in enumerate(results.figures, start=1)]
    links = pd.DataFrame(
        {
            "Here": [*numbers, *("" for _ in tables)],
            "Files": [text.partition(", ")[0] for text in texts["Files"]],
        }
    )
    return Printed(texts, text_columns=4, links=links)


def _missing(tracks: Mapping[str, Tables]) -> dict[str, list[str]]:
    """By track, each kind of gap with how often it occurs and where."""
    missing: dict[str, list[str]] = {}
    for track, tables in tracks.items():
        gaps = tables["missing"].fillna("")
        for what, rows in gaps.groupby("what", sort=False):
            methods = [name for name in dict.fromkeys(rows["method"]) if name]
            where = labels.listed([name for name in dict.fromkeys(rows["structure"]) if name])
            who = f"{labels.listed(methods)} on {where}" if methods else where
            missing.setdefault(track, []).append(f"{len(rows)} × {what} ({who})")
    return missing


def _readable(value: Any) -> str:
    """A provenance entry as text; mappings and lists as YAML."""
    if isinstance(value, Mapping | list):
        return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).strip()
    return str(value)

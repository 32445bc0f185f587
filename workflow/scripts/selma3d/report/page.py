"""The report's page: what the tables say, in the order in which a paper says it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ..scoring.metrics import PROFILES
from . import display, paper, pretraining_findings, ranking_findings
from . import tables as printed
from .display import Styles
from .embedding import data_url, width_px
from .table_formats import Shown
from .templates import write_page

Tables = Mapping[str, pd.DataFrame]
Titles = Mapping[str, str]

TRACKS = {
    "per-type": "one model for each structure type",
    "one-model": "one model for all structures",
}

GROUPS = {
    "scored_as": "structure type",
    "group": "pretraining group",
    "target": "fine-tuned model",
}


def write_report(
    path: str | Path,
    *,
    edition: Mapping[str, Any],
    tables_by_track: Mapping[str, Tables],
    figures: Sequence[Mapping[str, Any]],
    table_files: Sequence[Mapping[str, Any]],
    overview_figures: Sequence[Mapping[str, Any]],
    provenance: Mapping[str, Any],
    partial: Sequence[str],
    left_out: Sequence[str],
    caveats: Sequence[str],
    styles: Styles,
) -> None:
    """Write the report as one HTML file that needs nothing else, neither network nor scripts.

    edition: as in its file. tables_by_track: {track: ranking tables by file stem}.
    figures: {name, track, path (svg or png), caption, category} each; track may be empty.
    overview_figures: looks at the data, the same keys. table_files: {name, track, paths {form:
    path}} each. provenance: commit, versions, config, anything else worth keeping.
    partial: what is missing, empty when nothing is. left_out: methods that do not take part, and
    why. caveats: what the workflow knows and the tables
    do not (held-out split, synthetic images, unknown voxel sizes).
    Raises InputError for a figure that cannot be read.
    """
    titles = {name: spec["title"] for name, spec in edition["structures"].items()}
    folder = Path(path).parent
    numbered = _numbered(figures, folder)
    write_page(
        path,
        "report.html.j2",
        ("report.css",),
        edition=edition,
        partial=list(partial),
        left_out=list(left_out),
        tracks=[
            _track(name, tables, numbered, styles, titles)
            for name, tables in tables_by_track.items()
        ],
        runs=[_what_ran(name, tables, styles) for name, tables in tables_by_track.items()],
        structures=_structures(edition, tables_by_track),
        archives=_archives(edition),
        profile=PROFILES[edition["metric_profile"]],
        groups_by=_groups_by(edition["ranking"]),
        overviews=[_figure(figure, f"D{n}") for n, figure in enumerate(overview_figures, start=1)],
        other_figures=[figure for figure in numbered if not figure["track"]],
        files=_files(numbered, table_files, folder),
        caveats=[*caveats, *_own_caveats(edition, tables_by_track, styles, titles)],
        missing=_missing(tables_by_track),
        provenance={name: _readable(value) for name, value in provenance.items()},
    )


def _track(
    name: str, tables: Tables, figures: Sequence[Mapping[str, Any]], styles: Styles, titles: Titles
) -> dict[str, Any]:
    own = [figure for figure in figures if figure["track"] == name]
    categories = dict.fromkeys(figure["category"] for figure in own)
    board, means = tables["leaderboard"], tables.get("by_metric", pd.DataFrame())
    return {
        "name": name,
        "meaning": TRACKS.get(name, name),
        "won": ranking_findings.who_won(tables, styles),
        "sure": ranking_findings.how_sure(tables, styles, titles),
        "notes": ranking_findings.gaps_in_data(board, styles, titles),
        "pretraining": pretraining_findings.headline(tables),
        "pretraining_details": pretraining_findings.details(tables, styles, titles),
        "pretraining_sure": pretraining_findings.how_sure(tables, titles),
        "gains": Shown(pretraining_findings.by_structure(tables, titles), words=3),
        "leaderboard": printed.shown_leaderboard(board, styles, titles),
        "scores": printed.shown_structures(means, styles, titles) if len(means) else None,
        "figures": {c: [f for f in own if f["category"] == c] for c in categories},
    }


def _groups_by(ranking: Mapping[str, Any]) -> str:
    if "groups" in ranking:
        return f"the edition’s groups ({display.listed(list(ranking['groups']))})"
    return GROUPS[ranking["groups_by"]]


def _what_ran(name: str, tables: Tables, styles: Styles) -> str:
    board, cases = tables["leaderboard"], tables.get("cases", pd.DataFrame())
    if board.empty or cases.empty:
        return f"Track {name}: nothing has been scored yet."
    methods = [str(styles.get(m, {}).get("title", m)) for m in dict.fromkeys(board["method"])]
    learnt = set(board["init"]) - {display.NO_INIT}
    inits = sorted(learnt, key=lambda init: (display.is_pretrained(init), init))
    budgets = sorted({str(b) for b in cases["budget"]}, key=lambda b: (b == "all", b.zfill(9)))
    started = f", each started from {display.listed(inits)} where it learns" if inits else ""
    return (
        f"Track {name} ({TRACKS.get(name, name)}): {display.count(len(methods), 'method')} "
        f"({display.listed(methods)}){started}, which makes "
        f"{display.count(len(board), 'entrant')}; training patches per structure: "
        f"{display.listed(budgets)}. The leaderboard is that of every patch."
    )


def _structures(edition: Mapping[str, Any], tables_by_track: Mapping[str, Tables]) -> Shown:
    rows = []
    titles = {name: spec["title"] for name, spec in edition["structures"].items()}
    scored = _scored_cases(tables_by_track)
    for name in dict.fromkeys([*edition["structures"], *scored]):
        whole = name if name in edition["structures"] else name.removesuffix("-unseen")
        spec = edition["structures"].get(whole, {})
        cases, specimens = scored.get(name, (0, 0))
        size = spec.get("voxel_size_um", "unknown")
        rows.append(
            {
                "Structure": display.structure(titles, name),
                "Scored as": spec.get("scored_as", "–"),
                "In training": "seen" if spec.get("seen") and name == whole else "unseen",
                "Voxel size (z, y, x)": size if size == "unknown" else f"{size} µm",
                "Test cases": str(cases) if cases else "none scored",
                "Specimens": (str(specimens) if specimens else "unknown") if cases else "–",
            }
        )
    return Shown(pd.DataFrame(rows), words=4)


def _scored_cases(tables_by_track: Mapping[str, Tables]) -> dict[str, tuple[int, int]]:
    """Number of cases and of known specimens of each scored structure."""
    counts: dict[str, tuple[int, int]] = {}
    for tables in tables_by_track.values():
        cases = tables.get("cases", pd.DataFrame())
        for name, group in cases.groupby("structure", sort=False) if len(cases) else ():
            specimens = set(group["specimen"].fillna(""))
            known = 0 if "" in specimens else len(specimens)
            counts.setdefault(name, (group["case"].nunique(), known))
    return counts


def _archives(edition: Mapping[str, Any]) -> Shown:
    kinds = {"slot": "not public: a place for the user's copy", "phantom": "synthetic phantoms"}
    rows = [
        {
            "Archive": name,
            "What it is": spec.get("accession") or kinds.get(spec["kind"], spec["kind"]),
            "Licence": spec["licence"],
        }
        for name, spec in edition["archives"].items()
    ]
    return Shown(pd.DataFrame(rows, columns=["Archive", "What it is", "Licence"]), words=3)


def _own_caveats(
    edition: Mapping[str, Any],
    tables_by_track: Mapping[str, Tables],
    styles: Styles,
    titles: Titles,
) -> list[str]:
    """What the edition and the tables themselves show to be limits of the results."""
    caveats = []
    profile = PROFILES[edition["metric_profile"]]
    if profile.inferred:
        caveats.append(f"The metric definitions ({profile.label}) are inferred: {profile.source}.")
    if edition["ranking"].get("note"):
        caveats.append(f"The ranking rule: {edition['ranking']['note']}")
    if any(spec["kind"] == "phantom" for spec in edition["archives"].values()):
        caveats.append(
            "Images of phantom archives are synthetic: they show that the workflow works, and say "
            "nothing about tissue."
        )
    unknown = [name for name, (_, known) in _scored_cases(tables_by_track).items() if not known]
    if unknown:
        names = display.listed([display.structure(titles, name) for name in unknown])
        caveats.append(
            f"The specimens of the test cases are unknown for {names}: whether test and training "
            "share an animal cannot be checked, and cases may not be independent."
        )
    for track, tables in tables_by_track.items():
        quirks = ranking_findings.quirks(tables, styles, titles)
        caveats += [f"Metric quirks (track {track}): {sentence}" for sentence in quirks]
    return caveats


def _numbered(figures: Sequence[Mapping[str, Any]], folder: Path) -> list[dict[str, Any]]:
    return [
        _figure(figure, str(number)) | {"file": os.path.relpath(figure["path"], folder)}
        for number, figure in enumerate(figures, start=1)
    ]


def _figure(figure: Mapping[str, Any], number: str) -> dict[str, Any]:
    title = _title(figure["name"])
    track = figure.get("track", "")
    return {
        "name": figure["name"],
        "number": number,
        "track": track,
        "category": figure["category"],
        "title": title,
        "caption": figure["caption"],
        "alt": f"Figure {number}: {title}{f', track {track}' if track else ''}. See the caption.",
        "source": data_url(figure["path"]),
        "width": width_px(figure["path"]),
    }


def _title(name: str) -> str:
    return name.replace("-", " ").replace("_", " ").capitalize()


def _files(
    figures: Sequence[Mapping[str, Any]], table_files: Sequence[Mapping[str, Any]], folder: Path
) -> Shown:
    """What a paper shows, and which of our files shows it."""
    rows = [
        {
            "In a paper": paper.FIGURES.get(f["name"], f["title"]),
            "Track": f["track"] or "all",
            "Here": f"Figure {f['number']}",
            "Files": f["file"],
        }
        for f in figures
    ]
    for table in table_files:
        name = table["name"]
        rows.append(
            {
                "In a paper": paper.TABLES.get(name, _title(name)),
                "Track": table.get("track") or "all",
                "Here": "–",
                "Files": ", ".join(os.path.relpath(p, folder) for p in table["paths"].values()),
            }
        )
    return Shown(pd.DataFrame(rows, columns=["In a paper", "Track", "Here", "Files"]), words=4)


def _missing(tables_by_track: Mapping[str, Tables]) -> dict[str, list[str]]:
    """By track, each kind of gap with how often it occurs and where."""
    missing: dict[str, list[str]] = {}
    for track, tables in tables_by_track.items():
        gaps = tables.get("missing", pd.DataFrame()).fillna("")
        for what, rows in gaps.groupby("what", sort=False) if len(gaps) else ():
            methods = [name for name in dict.fromkeys(rows["method"]) if name]
            where = display.listed([name for name in dict.fromkeys(rows["structure"]) if name])
            who = f"{display.listed(methods)} on {where}" if methods else where
            missing.setdefault(track, []).append(f"{len(rows)} × {what} ({who})")
    return missing


def _readable(value: Any) -> str:
    """A provenance entry as text; mappings and lists as YAML."""
    if isinstance(value, Mapping | list):
        return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).strip()
    return str(value)

"""One fault costs its owner only: beside what strangers hand in, honest methods are shown."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml

from report_page import EDITION
from selma3d.challenge import Challenge
from selma3d.challenge.config import read_config
from selma3d.challenge.display import Display
from selma3d.images import PatchWriter
from selma3d.methods.foreign import convert_foreign
from selma3d.ranking.cost import cost_table
from selma3d.ranking.settings import RankingSettings
from selma3d.ranking.track import rank_track
from selma3d.report.drawing.figure import draw_figure
from selma3d.report.page import ReportContent, write_report
from selma3d.report.page_contents import shown_figures
from selma3d.report.table_formats import write_printed
from selma3d.scoring.method_scores import Scoring, score_predictions
from selma3d.system.errors import InputError
from tiny_challenge import ROOT, Workflow, method_file

SHAPE, CASES = (6, 8, 9), ("000", "001", "002")
METHOD = method_file(
    "Foreign",
    "foreign",
    "Masks that someone handed in, of which some are no masks.",
    "vessel-like",
    learns="nothing",
    runs="default",
)
HONEST = {"honest": "$_{$", "second": r"\frac{50 %} & <b>{0}</b> ^_#~"}  # titles


def jobs(pk: str) -> str:
    image = {"image": {"name": "000.mha"}, "interface": {"slug": "image"}}
    return json.dumps([{"pk": pk, "inputs": [image], "outputs": [image]}])


def write_masks(folder: Path) -> None:
    (folder / "vessel").mkdir()
    for number, case in enumerate(CASES):
        with h5py.File(folder / "vessel" / f"{case}.h5", "w") as file:
            file["mask"] = (np.random.default_rng(number).random(SHAPE) > 0.6).astype(np.uint8)


def link_to_truth(folder: Path) -> None:
    with h5py.File(folder / "vessel.h5", "w") as file:
        file.attrs.update(kind="predictions", contract_version=1)
        for case in CASES:
            file[case] = h5py.ExternalLink(str(folder.parent / "cases.h5"), case)


def promise(folder: Path) -> None:
    (folder / "vessel").mkdir()
    (folder / "vessel" / "000.mha").write_text(
        "ObjectType = Image\nNDims = 3\nDimSize = 90000 90000 90000\nElementType = MET_UCHAR\n"
        "BinaryData = True\nElementDataFile = LOCAL\n"
    )


PREDICTIONS: dict[str, tuple[Callable[[Path], object], str]] = {  # name: (faults, what is said)
    "garbage": (lambda f: (f / "vessel.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"x" * 99), "HDF5"),
    "linked": (link_to_truth, "found a link"),
    "promise": (promise, "voxels"),
    "nested": (lambda f: (f / "predictions.json").write_text("[" * 100_000), "too many levels"),
    "outside": (lambda f: (f / "predictions.json").write_text(jobs("../..")), "climbs out"),
    "long": (lambda f: (f / "predictions.json").write_text(jobs("a" * 5000)), "job 0"),
    "pipe": (lambda f: os.mkfifo(f / "predictions.json"), "folder, pipe or device"),
    "numbers": (lambda f: (f / "predictions.json").write_text("1e999"), "list of jobs"),
}
FILES: dict[str, Callable[[Path], object]] = {  # of methods
    "laughs": lambda path: path.write_text(
        "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    ),
    "levels": lambda path: path.write_text("{a: " * 3000),
    "other-bytes": lambda path: path.write_bytes(b"name: \xff\xfe\x00"),
    "no-file": os.mkfifo,
    "large": lambda path: path.write_text("a: b\n" * 4_000_000),
    "code": lambda path: path.write_text("!!python/object/apply:os.system ['touch PWNED']\n"),
    "dear": lambda path: path.write_text(yaml.safe_dump(METHOD | {"name": "dear", "colour": "$"})),
}


@dataclass
class HandedIn:
    """A folder with honest and faulty methods, their predictions, and the cases."""

    folder: Path
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> dict[str, object]:
        return {"methods": "all", "method_folders": [str(self.folder)]}


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory: pytest.TempPathFactory) -> HandedIn:
    folder = tmp_path_factory.mktemp("handed-in")
    with PatchWriter(folder / "cases.h5", folder / "cases.tsv", "cases") as writer:
        for number, case in enumerate(CASES):
            grey = np.random.default_rng(number).integers(1, 999, (1, *SHAPE)).astype(np.uint16)
            writer.add(case, grey, (grey[0] > 600).astype(np.uint8), f"brain {case}")
    faults = {name: write for name, (write, _) in PREDICTIONS.items()}
    for name, write in faults.items() | dict.fromkeys(HONEST, write_masks).items():
        (folder / name).mkdir()
        write(folder / name)
        method = METHOD | {"name": name, "settings": {"predictions": str(folder / name)}}
        method["title"] = HONEST.get(name, name)
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(method))
    for name, write in FILES.items():
        write(folder / f"{name}.yaml")
    return HandedIn(folder)


def test_the_plan_leaves_out_faulty_files_and_holds_all_others(handed_in: HandedIn, tmp_path):
    names = [*HONEST, *PREDICTIONS]
    targets = [f"results/predictions/{name}/vessel/default.h5" for name in names]
    targets.append("results/scores/honest/vessel.tsv")
    ran = Workflow(tmp_path).run("--dry-run", *targets, **handed_in.config)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    said = ran.stdout + ran.stderr
    assert said.count("\nrule foreign:") == len(names)
    assert {name for name in FILES if f"NOT TAKING PART: {name}: " in said} == FILES.keys()
    assert "Traceback" not in said
    assert not list(tmp_path.rglob("PWNED"))


@pytest.fixture(scope="module")
def challenge(handed_in: HandedIn) -> Challenge:
    extra = handed_in.folder / "extra.yml"
    extra.write_text(yaml.safe_dump(handed_in.config))
    layers = [ROOT / "config" / name for name in ("config.yaml", "demo.yaml")]
    return Challenge.of(read_config(ROOT, [*layers, extra]).plain(), ROOT)


@pytest.fixture(scope="module")
def scored(handed_in: HandedIn, challenge: Challenge) -> pd.DataFrame:
    """The score tables of what could be converted; of all others, what was said."""
    tables, cases = [], handed_in.folder / "cases.h5"
    rules = Scoring("demo", "final", ("per-type",), "vessel", "vessel-like", True, "selma2024")
    for name in challenge.foreign:
        output = handed_in.folder / f"{name}.predictions.h5"
        try:
            convert_foreign(
                *(challenge.foreign_predictions(name), cases, output),
                method=name, structure="vessel", structures=["vessel"], cases_of_others={},
            )  # fmt: skip
            tables.append(
                score_predictions(cases, [("default", output)], method=name, scoring=rules)
            )
        except InputError as error:
            handed_in.errors[name] = str(error)
            assert not output.exists()
    return pd.concat(tables)


def test_each_fault_ends_its_own_job_in_one_line(handed_in: HandedIn, scored: pd.DataFrame):
    assert set(scored["method"]) == set(HONEST)
    assert handed_in.errors.keys() == PREDICTIONS.keys()
    for name, (_, message) in PREDICTIONS.items():
        said = handed_in.errors[name]
        assert message in said, said
        assert str(handed_in.folder / name) in said
        assert "\n" not in said


def test_figures_tables_and_report_of_the_others_come(
    handed_in: HandedIn, challenge: Challenge, scored: pd.DataFrame, tmp_path: Path
):
    settings = RankingSettings(metric_profile="selma2024", bootstrap=20)
    tables = rank_track(scored, settings, track="per-type") | {"cost": cost_table([])}
    display = Display.of(challenge, handed_in.errors.values())
    for form in ("svg", "pdf", "png"):
        draw_figure("overview", tables, display, {form: tmp_path / "per-type" / f"overview.{form}"})
    for form in ("tsv", "tex", "md"):
        write_printed("leaderboard", tables, display, {form: tmp_path / f"leaderboard.{form}"})
    left_out = [f"{method.name}: {method.reason}" for method in challenge.left_out]
    write_report(
        tmp_path / "report.html",
        ReportContent(
            edition=EDITION,
            display=display,
            tracks={"per-type": tables},
            figures=shown_figures(sorted((tmp_path / "per-type").glob("*.svg")), display),
            tables=[],
            overviews=[],
            missing=list(display.partial),
            left_out=left_out,
            caveats=[],
            provenance={"commit": "0123abc", "versions": {}},
        ),
    )
    report = (tmp_path / "report.html").read_text()
    assert "$_{$" in report
    assert "&lt;b&gt;{0}&lt;/b&gt;" in report
    assert "<b>{0}</b>" not in report
    for name in (*FILES, *PREDICTIONS):
        assert name in report
    assert "$_{$" in (tmp_path / "per-type" / "overview.svg").read_text()
    assert r"\$\_\{\$" in (tmp_path / "leaderboard.tex").read_text()

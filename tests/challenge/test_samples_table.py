"""Samples table: cells as spreadsheets write them."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from selma3d.challenge.checking import Faults, read_table
from selma3d.challenge.edition import ReadEdition
from selma3d.challenge.samples import Sample, read_samples
from selma3d.system.errors import InputError

HEAD = "structure\tkind\tsample\tspecimen\trole\tarchive\timage\tmask"


def table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["# a remark", HEAD, *rows]) + "\n", encoding="utf-8-sig")
    return path


def test_cells_are_stripped_and_quotes_and_hashes_in_them_are_data(tmp_path: Path) -> None:
    file = table(
        tmp_path / "s.tsv",
        's\tvolume\t a \t mouse #1 \t\tlab\t" brain #1/C00_*.tif, brain #1/C01_*.tif "\t',
        "# s\tvolume\tb\t\t\tlab\tx\t",
        's\tpatch\tc\t"m ""2"""\t\tlab\tp#3.tif\t m.tif ',
    )
    first, second = read_table(file, Sample)
    assert (first.sample, first.specimen) == ("a", "mouse #1")
    assert first.images == ("brain #1/C00_*.tif", "brain #1/C01_*.tif")
    assert (second.specimen, second.image, second.mask) == ('m "2"', "p#3.tif", "m.tif")


@pytest.mark.parametrize(
    ("head", "rows", "message"),
    [
        (HEAD, ['s\tvolume\ta\t"m\t\tl\tx\t', 's\tvolume\tb\t"n\t\tl\ty\t'], "of one line"),
        (HEAD, ["s\tvolume\ta\tm\t\tl\tx\t\t"], "expected rows of 8 cells .*longer"),
        (HEAD.replace("\t", " \t") + "\t", ["s\tvolume\ta\tm\t\tl\tx\t\t"], None),
    ],
)  # fmt: skip
def test_shifted_and_swallowed_cells_are_refused_and_spare_columns_are_not(
    tmp_path: Path, head, rows, message
) -> None:
    file = tmp_path / "s.tsv"
    file.write_text("\n".join([head, *rows]) + "\n")
    if message is None:
        assert [(s.specimen, s.image, s.mask) for s in read_table(file, Sample)] == [("m", "x", "")]
        return
    with pytest.raises(InputError, match=message):
        read_table(file, Sample)


def test_specimens_that_look_the_same_are_one_and_ids_that_differ_in_case_are_told(
    tmp_path: Path, caplog
) -> None:
    names = ("Ma\u0308use", "M\u00e4use\u200b", "\ufeffM\u00e4use")
    rows = [
        f"s\tvolume\t{n}\t{name}\t\t\tx\t" for n, name in zip(("a", "A", "b"), names, strict=True)
    ]
    file = table(tmp_path / "s.tsv", *rows)
    assert {sample.specimen for sample in read_table(file, Sample)} == {"M\u00e4use"}
    read_samples(file, ReadEdition(None, None), Faults())
    assert "s: volume 'A', 'a' differ in case only" in caplog.text


def test_specimens_that_differ_in_case_only_are_told(tmp_path: Path, caplog) -> None:
    file = table(
        tmp_path / "s.tsv", "s\tvolume\ta\tBrain1\t\t\tx\t", "s\tvolume\tb\tbrain1 \t\t\ty\t"
    )
    with caplog.at_level(logging.WARNING):
        samples = read_samples(file, ReadEdition(None, None), Faults())
    assert [sample.specimen for sample in samples] == ["Brain1", "brain1"]
    assert "specimens 'Brain1', 'brain1' differ in case only" in caplog.text


@pytest.mark.parametrize(
    ("kind", "role", "refused"),
    [
        ("patch", "training", True),
        ("patch", "", True),  # it may be drawn for training
        ("patch", "validation", False),
        ("volume", "", True),
        ("volume", "test", False),
    ],
)
def test_a_specimen_with_a_test_case_is_not_learnt_from(
    tmp_path: Path, kind: str, role: str, refused: bool
) -> None:
    file = table(tmp_path / "s.tsv", f"s\t{kind}\ta\tm\t{role}\tl\tx\t", "s\tcase\tb\tm\t\tl\ty\t")
    faults = Faults()
    read_samples(file, ReadEdition(None, None, None), faults)
    assert any("specimen 'm'" in line for line in faults.lines) == refused

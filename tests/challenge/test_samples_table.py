"""Samples table: cells as spreadsheets write them."""

from __future__ import annotations

import logging
from pathlib import Path

from selma3d.challenge.checking import Faults, read_table
from selma3d.challenge.edition import ReadEdition
from selma3d.challenge.samples import Sample, read_samples

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


def test_specimens_that_differ_in_case_only_are_told(tmp_path: Path, caplog) -> None:
    file = table(
        tmp_path / "s.tsv", "s\tvolume\ta\tBrain1\t\t\tx\t", "s\tvolume\tb\tbrain1 \t\t\ty\t"
    )
    with caplog.at_level(logging.WARNING):
        samples = read_samples(file, ReadEdition(None, None), Faults())
    assert [sample.specimen for sample in samples] == ["Brain1", "brain1"]
    assert "specimens 'Brain1', 'brain1' differ in case only" in caplog.text

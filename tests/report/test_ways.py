"""The table of ways to fine-tune, from histories alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from selma3d.report.ways import as_markdown, compare_ways
from selma3d.system.errors import InputError

HEADER = "step\tseconds\tname\tvalue\n"


def history(file: Path, **values: float) -> Path:
    rows = [f"10\t1.0\tvalidation_at_{name}\t{value}\n" for name, value in values.items()]
    file.write_text(HEADER + "10\t1.0\tloss\t0.5\n" + "".join(rows))
    return file


def test_ways_are_compared_in_pairs_within_each_init(tmp_path: Path) -> None:
    found = compare_ways([
        ("unet", "cells", "masked-nall-f0-s0", history(tmp_path / "a", plain=0.5, slower=0.75)),
        ("unet", "cells", "masked-nall-f0-s1", history(tmp_path / "b", plain=0.25, slower=0.25)),
        ("unet", "cells", "scratch-n2-f0-s0", history(tmp_path / "c", plain=0.5)),
    ])  # fmt: skip
    rows = found.set_index(["init", "attempt"])
    assert rows.loc[("masked", "slower"), ["validation", "above_first", "kept"]].tolist() == [
        0.5,
        0.125,
        1,
    ]
    assert rows.loc[("masked", "plain"), "kept"] == 1  # the first of two that are equal
    assert rows.loc[("scratch", "plain"), "budget"] == "2"
    assert "| scratch | 2 | plain | 0.500 | – | +0.000 | 1 of 1 |" in as_markdown(found)


def test_a_history_without_attempts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected rows validation_at_<attempt>, found none"):
        compare_ways([("unet", "cells", "scratch-nall-f0-s0", history(tmp_path / "a"))])

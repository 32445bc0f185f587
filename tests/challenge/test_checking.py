"""A faulty setting is one line: where it stands, what was expected, what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, model_validator

from selma3d.challenge.checking import Model, check, load_yaml, read_table
from selma3d.system.errors import InputError


class Window(Model):
    shape: Annotated[tuple[int, ...], Field(min_length=3, max_length=3)]
    overlap: float = Field(default=0.5, ge=0, lt=1)


class Settings(Model):
    network: Literal["unet", "swin"]
    window: Window
    budgets: Literal["all"] | tuple[Literal["all"] | Annotated[int, Field(ge=1)], ...] = "all"
    packs: dict[Annotated[str, Field(pattern=r"^(?!.*-ens$)[a-z]+$")], dict[str, str]] = Field(
        default_factory=dict
    )
    voxel: tuple[float, float, float] | None = None
    code: str | None = None
    commit: str | None = None

    @model_validator(mode="after")
    def _code_has_a_commit(self):
        if self.code and not self.commit:
            raise ValueError("expected 'commit' beside 'code', found none")
        return self


GOOD = {"network": "unet", "window": {"shape": [8, 16, 16], "overlap": 0}}


def faults(**changes) -> list[str]:
    with pytest.raises(InputError) as raised:
        check(Settings, GOOD | changes, "my.yaml")
    return str(raised.value).splitlines()


def test_lists_become_tuples_and_whole_numbers_will_do_for_fractions():
    settings = check(Settings, GOOD | {"budgets": [2, "all"]}, "my.yaml")
    assert settings.window.shape == (8, 16, 16)
    assert settings.window.overlap == 0.0
    assert settings.budgets == (2, "all")


def test_plain_data_makes_the_same_settings_again():
    settings = check(Settings, GOOD | {"budgets": [2]}, "my.yaml")
    assert check(Settings, settings.model_dump(mode="json"), "params") == settings


def test_settings_never_change():
    with pytest.raises(ValueError, match="frozen"):
        check(Settings, GOOD, "my.yaml").network = "swin"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"network": "unett"}, "network: expected one of unet, swin, found 'unett', did you mean"),
        ({"window": {"shape": "8"}}, "window.shape: expected array, found '8'"),
        ({"window": {"shape": [8, "8", 8]}}, "window.shape.1: expected integer, found '8'"),
        (
            {"window": {"shape": [8, "8", 8]}},
            "window.shape.1: expected integer, found '8' (text: state it in a configuration file",
        ),
        ({"window": {"shape": [8, "[" * 30, 8]}}, "window.shape.1: expected integer, found '[["),
        ({"window": {"shape": [8, True, 8]}}, "window.shape.1: expected integer, found True"),
        ({"window": {"shape": [8, 8]}}, "window.shape: expected at least 3 entries, found [8, 8]"),
        ({"window": 5}, "window: expected object, found 5"),
        ({"window": {"shape": [8] * 3, "overlap": 1}}, "window.overlap: expected less than 1, f"),
        ({"window": {"shape": [8] * 3, "overlap": -1}}, "window.overlap: expected at least 0, fou"),
        ({"window": {}}, "window: expected the key 'shape', found only []"),
        ({"budgets": "al"}, "budgets: expected all or array, found 'al', did you mean 'all'?"),
        ({"budgets": ["all", 0]}, "budgets.1: expected all or at least 1, found 0"),
        ({"budgets": [2.5]}, "budgets.0: expected all or integer, found 2.5"),
        ({"packs": {"my-ens": {}}}, "packs.my-ens: expected text like ^(?!.*-ens$)[a-z]+$, found"),
        ({"voxel": [1, 2]}, "voxel: expected an entry number 3, found only [1, 2]"),
        ({"voxel": [1, 2, 3, 4]}, "voxel: expected at most 3 entries, found [1, 2, 3, 4]"),
        ({"code": "https://example.org"}, "expected 'commit' beside 'code'"),
        ({"netwrk": "unet"}, "netwrk: unknown key, did you mean 'network'?"),
        (
            {"colour": "red"},
            "colour: unknown key (known: network, window, budgets, packs, vo",
        ),
        ({"window": {"shap": [8] * 3}}, "window.shap: unknown key, did you mean 'shape'?"),
    ],
)
def test_a_fault_is_one_line_with_place_expected_and_found(changes, line):
    (found,) = faults(**changes)
    assert found.startswith(f"my.yaml: {line}")


def test_all_faults_are_told_and_unknown_keys_come_first():
    lines = faults(network=3, windw={}, window={"shape": [0.5, 8, "x"]})
    assert [line.split(": ")[1] for line in lines] == [
        "windw",
        "network",
        "window.shape.0",
        "window.shape.2",
    ]


def test_a_file_full_of_faults_is_cut_short():
    lines = faults(budgets=[0.5] * 100)
    assert len(lines) == 21
    assert lines[-1] == "and 80 more faults"


class Row(Model):
    sample: str = Field(pattern=r"^\w+$")
    role: Literal["", "training"]
    channel: int = Field(default=0, ge=0)


def table(folder: Path, *rows: str) -> Path:
    path = folder / "samples.tsv"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_table_is_read_row_by_row_with_numbers_as_numbers(tmp_path):
    path = table(tmp_path, "# of one specimen", "sample\trole\tchannel", "a\t\t1", "b\ttraining\t0")
    assert read_table(path, Row) == (
        Row(sample="a", role="", channel=1),
        Row(sample="b", role="training"),
    )


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (["sample", "a"], "column 'role': expected, found only sample"),
        (["sample\trole\trle", "a\t\t"], "column 'rle': unknown key, did you mean 'role'?"),
        (["sample\trole", "a\t", "b\ttest"], "line 3: role: expected one of '', training, found"),
        (["sample\trole\tchannel", "a\t\tx"], "line 2: channel: expected integer, found 'x'"),
        (["# a", "#b", "", "sample\trole", "a\t", "# c", "b\ttest"], "line 7: role: expected one"),
        (["# a", "sample\trole", "", "a\t", 'b\t"x', 'c\t"'], "line 5: role: expected a cell of"),
        (
            ["# a", "sample\trole", "", "a\t", 'b\t"x', "c\t"],
            "found: a quote in line 5 that is not",
        ),
        ([], "expected a tab-separated table, found: "),
    ],
)
def test_a_faulty_table_is_named_by_column_and_the_line_that_an_editor_shows(tmp_path, rows, line):
    with pytest.raises(InputError) as raised:
        read_table(table(tmp_path, *rows), Row)
    assert line in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_named_with_its_nearest_neighbour(tmp_path):
    (tmp_path / "config.yaml").touch()
    with pytest.raises(InputError, match=r"no such file, did you mean 'config.yaml'\?"):
        load_yaml(tmp_path / "confg.yaml")

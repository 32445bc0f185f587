"""Settings and lists of strangers: small files that stand for very much."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from selma3d.challenge.checking import Model, check, load_yaml
from selma3d.methods.predictions_json import read_jobs
from selma3d.system.errors import InputError


def laughs(levels: int) -> str:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


def merges(levels: int) -> str:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{b: *a{n - 1}, c: *a{n - 1}}}" for n in range(1, levels)]
    return "\n".join(lines)


BOMBS = {
    "laughs": (laughs(9), "values, aliases replaced"),
    "many laughs": (laughs(300), "values, aliases replaced"),
    "two at a time": (merges(60), "values, aliases replaced"),
    "lists in lists": ("a: " + "[" * 900, "levels"),
    "lists in lists, without end": ("a: " + "[" * 200_000, "levels|syntax error"),
    "mappings in mappings": ("\n".join(" " * n + "a:" for n in range(200)), "levels"),
    "itself": ("a: &a [1, *a]", "alias within"),
    "itself as a key": ("a: &a {b: {c: *a}}", "alias within"),
    "a number of 9,000 digits": ("a: " + "9" * 9000, "impossible value"),
    "no such day": ("a: 2026-13-45", "impossible value"),
    "an unknown tag": ("a: !!python/object/apply:os.system ['true']", "syntax error"),
    "17 MB": ("a: " + "x" * 17_000_000, "at most 16000000 bytes"),
}


@pytest.mark.parametrize("what", BOMBS)
def test_a_yaml_bomb_is_one_line(tmp_path: Path, what: str) -> None:
    text, message = BOMBS[what]
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(InputError, match=message) as refused:
        load_yaml(tmp_path / "a.yaml")
    assert str(tmp_path / "a.yaml") in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_yaml_that_is_no_text_or_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(InputError, match=r"a\.yaml: expected YAML in UTF-8"):
        load_yaml(tmp_path / "a.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(InputError, match="found a folder, pipe or device"):
        load_yaml(tmp_path / "pipe.yaml")


def test_aliases_of_honest_files_stay(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]\n")
    assert load_yaml(tmp_path / "a.yaml")["b"] == {"x": 1, "y": 2}


def test_settings_that_share_their_parts_are_counted_before_they_are_written_out() -> None:
    shared: list[object] = [1] * 9
    for _ in range(12):
        shared = [shared] * 9
    with pytest.raises(InputError, match=r"config: expected at most .* values"):
        check(Model, {"a": shared}, "config")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 100_000, "too many levels"),
        (b'[{"pk": ' * 50_000, "too many levels"),
        (b"[\xff]", "UTF-8"),
        (b"[" + b"1," * 9_000_000 + b"1]", "bytes in a predictions.json"),
        (b"[" + b"9" * 9000 + b"]", "expected"),
    ],
)
def test_a_predictions_json_out_of_proportion_is_one_line(tmp_path, content, message) -> None:
    (tmp_path / "predictions.json").write_bytes(content)
    with pytest.raises(InputError, match=rf"predictions\.json: .*{message}") as refused:
        read_jobs(tmp_path / "predictions.json")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_a_run_checks_its_settings_before_snakemake_replaces_their_aliases(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, dry: list[str]
) -> None:
    """Snakemake itself would not come to an end with these."""
    import run as command

    (tmp_path / "bomb.yaml").write_text(merges(60))
    with pytest.raises(SystemExit) as ended:
        command.main([*dry, "--cores", "1", "--configfile", str(tmp_path / "bomb.yaml")])
    assert ended.value.code == 1
    assert "bomb.yaml: expected at most 200000 values, aliases replaced" in caplog.text

"""Other people's programs: how they are called, installed, and handed a run's patches."""

from __future__ import annotations

import sys
import venv

import pandas as pd
import pytest

from selma3d.challenge.run import Run
from selma3d.challenge.source import Source
from selma3d.methods.peers import environment
from selma3d.methods.peers.examples import examples
from selma3d.methods.peers.programs import run
from selma3d.system.errors import InputError
from small_peers import patches_and_split


def python(code, *arguments, program_log, **options):
    return run([sys.executable, "-c", code, *arguments], program_log=program_log, **options)


def test_an_argument_is_never_read_by_a_shell(tmp_path, monkeypatch):
    hostile = "$(touch broken); touch broken"
    code = "import sys; print(sys.argv[1])"
    monkeypatch.chdir(tmp_path)
    python(code, hostile, program_log=tmp_path / "words")
    assert (tmp_path / "words").read_text() == hostile + "\n"
    assert not (tmp_path / "broken").exists()


def test_a_failing_program_is_one_line_with_its_last_words(tmp_path):
    code = "print('first'); raise SystemExit('no such dataset')"
    with pytest.raises(
        InputError, match=r"exit code 0, found 1; last line: no such dataset"
    ) as one:
        python(code, program_log=tmp_path / "words")
    assert "\n" not in str(one.value)


def test_a_program_that_is_absent_or_does_not_end_is_an_error(tmp_path):
    with pytest.raises(InputError, match="expected a program that starts"):
        run([tmp_path / "nothing"], program_log=tmp_path / "words")
    with pytest.raises(InputError, match="expected an end within"):
        python("import time; time.sleep(60)", program_log=tmp_path / "words", minutes=0.005)


def test_modules_of_this_environment_do_not_reach_a_peer(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    code = "import os; print(os.environ.get('PYTHONPATH'), os.environ['GIVEN'])"
    python(code, program_log=tmp_path / "words", variables={"GIVEN": "yes"})
    assert (tmp_path / "words").read_text() == "None yes\n"


@pytest.mark.parametrize("line", ["numpy", "numpy>=2", "numpy==2 --hash=x", "-r other.txt", "./x"])
def test_what_is_no_exact_pin_is_refused_by_its_line(tmp_path, line):
    pins = tmp_path / "pins.txt"
    pins.write_text(f"# a comment\nscipy==1.17.1\n{line}\n")
    with pytest.raises(InputError, match=r"pins.txt, line 3: expected <package>==<version>"):
        environment.check_pins(pins)


def test_pins_of_every_method_that_brings_some_are_exact(repository):
    files = sorted((repository / "workflow" / "envs").glob("*.txt"))
    assert files
    for pins in files:
        environment.check_pins(pins)
        assert pins.with_suffix(".yaml").exists()


def test_a_broken_environment_leaves_nothing_and_a_finished_one_is_kept(tmp_path, monkeypatch):
    # pip alone takes most of a real installation's time; tests/peers install for real.
    monkeypatch.setattr(
        environment, "_install", lambda pins, folder, program_log: venv.create(folder)
    )
    pins, folder, installed = tmp_path / "e.txt", tmp_path / "e", tmp_path / "e.tsv"
    pins.write_text("# nothing but Python\n")
    arguments = {"folder": folder, "installed": installed, "program_log": tmp_path / "words"}
    with pytest.raises(InputError, match="No module named 'absent'"):
        environment.build(pins, ["absent"], **arguments)
    assert not folder.exists()
    assert not installed.exists()
    environment.build(pins, ["json"], **arguments)
    packages = pd.read_csv(installed, sep="\t", dtype=str)
    assert packages["package"].tolist() == ["python"]
    (folder / "kept").touch()
    installed.unlink()
    environment.build(pins, ["json"], **arguments)
    assert (folder / "kept").exists()
    assert installed.exists()


def test_an_environment_of_the_user_needs_an_interpreter(tmp_path):
    with pytest.raises(InputError, match="expected an environment with bin/python"):
        environment.record(tmp_path, ["json"], tmp_path / "e.tsv", tmp_path / "words")


def test_a_run_learns_from_its_budget_in_its_order_and_watches_the_validation_patches(tmp_path):
    source = Source("cells", *patches_and_split(tmp_path), 0)
    found = [(e.patch, e.role) for e in examples([source], Run("scratch", "1", 0, 3))]
    assert found == [("b", "train"), ("v", "validation")]
    everything = [e.patch for e in examples([source], Run())]
    assert everything == ["b", "a", "v"]
    with pytest.raises(InputError, match="budget from 1 to 2"):
        list(examples([source], Run("scratch", "9", 0, 3)))

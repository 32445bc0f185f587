"""A configuration decides what is made; a wrong one is named in one line."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from selma3d.challenge import Challenge, Encoder, Run
from selma3d.challenge.checking import read_table
from selma3d.challenge.config import layer
from selma3d.challenge.participants import encoders_of, ensembles_of, expected_runs, models_of
from selma3d.challenge.samples import Sample
from selma3d.system.errors import InputError


def layered(repository: Path, name: str | None = None, **changes) -> dict:
    config = yaml.safe_load((repository / "config" / "config.yaml").read_text())
    if name:
        config = layer(config, yaml.safe_load((repository / "config" / f"{name}.yaml").read_text()))
    return config | changes


@pytest.fixture
def full(repository: Path) -> dict:
    return layered(repository) | {"edition": "selma2024"}


@given(
    init=st.sampled_from(["scratch", "scratch-long", "masked", "restore_2"]),
    budget=st.sampled_from(["all", "1", "16"]),
    fold=st.integers(0, 9),
    seed=st.integers(0, 99),
    track=st.sampled_from(["per-type", "one-model"]),
)
def test_a_runs_name_can_be_read_back(init, budget, fold, seed, track):
    run = Run(init, budget, fold, seed, track)
    assert Run.parse(run.name) == run


@given(
    init=st.sampled_from(["scratch", "masked", "restore_2"]),
    budget=st.sampled_from(["all", "4"]),
    track=st.sampled_from(["per-type", "one-model"]),
)
def test_an_ensembles_name_can_be_read_back(init, budget, track):
    run = Run(f"{init}-ens", budget, track=track)
    assert run.is_ensemble
    assert run.model == f"{init}-n{budget}-ens"
    assert Run.parse(run.name) == run


@pytest.mark.parametrize("name", ["masked-f0-s0", "masked-ens-nall-f0-s0", "masked-ens-nall-ens"])
def test_a_name_that_is_no_run_is_refused(name):
    with pytest.raises(ValueError, match="expected <init>-n<budget>"):
        Run.parse(name)


def test_an_ensemble_joins_all_folds_and_seeds_and_changes_no_other_run(repository, full):
    full |= {"folds": 2, "seeds": [3, 5]}
    without = Challenge.of(full, repository).runs("unet", "cfos")
    full["predict"] = full["predict"] | {"ensemble": True}
    challenge = Challenge.of(full, repository)
    runs = challenge.runs("unet", "cfos")
    assert [run for run in runs if not run.is_ensemble] == without
    ensembles = [run for run in runs if run.is_ensemble]
    assert {(run.init, run.budget) for run in ensembles} == {
        (f"{run.init}-ens", run.budget) for run in without
    }
    members = challenge.members(ensembles[0])
    assert {(m.init, m.budget) for m in members} == {(without[0].init, without[0].budget)}
    assert {(m.fold, m.seed) for m in members} == {(0, 3), (0, 5), (1, 3), (1, 5)}
    assert challenge.runs("threshold", "cfos") == [Run()]
    trained = {(m, t.name, r.model) for m, t, r in models_of(challenge)}
    assert all((m, t.name, r.model) not in trained for m, t, r in ensembles_of(challenge))


def test_an_ensemble_of_one_model_is_refused(repository, full):
    full |= {"seeds": [0], "predict": full["predict"] | {"ensemble": True}}
    with pytest.raises(InputError, match=r"predict\.ensemble: expected several folds or seeds"):
        Challenge.of(full, repository).runs("unet", "cfos")


def test_the_methods_that_segment_all_volumes_are_checked(repository, full):
    full["segment"] = full["segment"] | {"methods": ["unet"]}
    assert Challenge.of(full, repository).brain_methods == ("unet",)
    full["segment"] = full["segment"] | {"methods": ["threshold"]}
    with pytest.raises(InputError, match=r"segment\.methods: expected recipes .*'threshold'"):
        Challenge.of(full, repository).brain_methods  # noqa: B018 - a property that checks


def test_the_init_that_segments_volumes_is_checked(repository, full):
    assert Challenge.of(full, repository).segmenting_run("unet").init == "masked"
    full["segment"] = full["segment"] | {"init": "maskd"}
    with pytest.raises(InputError, match=r"segment\.init: expected auto or one of scratch, masked"):
        Challenge.of(full, repository).segmenting_run("unet")


def test_a_misspelt_key_is_named_with_its_nearest_neighbour(repository, full):
    full["resluts"] = full.pop("results")
    with pytest.raises(InputError, match=r"resluts: unknown key, did you mean 'results'\?"):
        Challenge.of(full, repository)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"folds": 0}, r"folds: expected at least 1, found 0"),
        ({"seeds": "0"}, r"seeds: expected array, found '0'"),
        ({"size": "medium"}, r"size: expected one of production, small, found 'medium'"),
        ({"edition": "selma2204"}, r"selma2204.yaml: no such file, did you mean 'selma2024.yaml'"),
        ({"methods": ["unett"]}, r"methods: no method 'unett', did you mean 'unet'"),
        ({"phase": "semifinal"}, r"phase: expected one of preliminary, final, found 'semifinal'"),
        ({"archives": {"S-BIAD": {"folder": "x"}}}, r"archives.S-BIAD: the edition has no such"),
        ({"budgets": [2, 4]}, r"budgets"),
    ],
)
def test_a_wrong_value_is_one_line_with_key_expected_and_found(repository, full, change, message):
    with pytest.raises(InputError, match=message) as raised:
        challenge = Challenge.of(full | change, repository)
        _ = challenge.methods, challenge.structures
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ({"orientation": "pxl"}, r"registration\.orientation: expected one letter each .*'pxl'"),
        ({"orientation": "pal"}, r"registration\.orientation: expected one letter each .*'pal'"),
        ({"atlas": "allen_mouse"}, r"registration\.atlas: expected text like .*'allen_mouse'"),
        ({"geometry": "half"}, r"geometry: expected one of full, hemisphere_l, .* found 'half'"),
        (
            {"annotation": "x"},
            r"expected registration or a finished annotation, found .*annotation",
        ),
    ],
)
def test_a_registration_that_cannot_be_is_one_line(repository, full, regions, message):
    registration = {"atlas": "allen_mouse_25um", "orientation": "psl"} | regions
    annotation = registration.pop("annotation", None)
    given = full["segment"]["regions"] | {"registration": registration, "annotation": annotation}
    full["segment"] = full["segment"] | {"regions": given}
    with pytest.raises(InputError, match=message) as raised:
        Challenge.of(full, repository)
    assert "\n" not in str(raised.value)


def test_a_missing_key_is_named(repository, full):
    del full["seeds"]
    with pytest.raises(InputError, match="expected the key 'seeds'"):
        Challenge.of(full, repository)


def test_a_faulty_row_of_the_samples_table_is_named_by_its_line(tmp_path):
    table = tmp_path / "samples.tsv"
    header = "structure\tkind\tsample\tspecimen\trole\tarchive\timage\tmask\n"
    table.write_text(header + "cfos\tpicture\t001\t\t\t\t\t\n")
    with pytest.raises(
        InputError, match=r"line 2: kind: expected one of volume, collection, patch, case"
    ):
        read_table(table, Sample)


def test_a_specimen_that_is_trained_on_and_tested_on_is_refused(repository, tmp_path):
    config = tmp_path / "config"
    shutil.copytree(repository / "config", config)
    table = config / "samples" / "demo.tsv"
    row = "cfos\tvolume\textra\tcfos-specimen4\ttraining\tphantom\tcfos/extra\t\n"
    table.write_text(table.read_text() + row)
    with pytest.raises(InputError, match="specimen 'cfos-specimen4': expected in training"):
        Challenge.of(layered(repository, "demo"), tmp_path)


def test_microglia_are_segmented_by_the_spot_model_and_scored_as_vessels(repository):
    challenge = Challenge.of(layered(repository, "demo"), repository)
    assert challenge.structures["microglia"].scored_as == "vessel-like"
    assert "microglia" in challenge.targets["spot-like"].segments
    assert "microglia" not in challenge.targets["spot-like"].learns


def test_a_left_out_structure_is_segmented_by_a_model_that_never_learnt_it(repository, full):
    challenge = Challenge.of(full, repository)
    target = challenge.targets["spot-like-without-plaque"]
    assert target.segments == ("plaque-unseen",)
    assert "plaque" not in target.learns
    assert challenge.structures["plaque-unseen"].cases_of == "plaque"
    ranked = [name for names in challenge.ranking_groups().values() for name in names]
    assert "plaque-unseen" not in ranked


def test_a_structure_without_a_second_one_of_its_target_is_never_left_out(repository, full):
    assert "vessel-unseen" not in Challenge.of(full, repository).structures


def test_the_one_model_track_has_one_target_and_its_own_run_names(repository, full):
    challenge = Challenge.of(full | {"tracks": ["per-type", "one-model"]}, repository)
    assert challenge.targets["all"].group == "all"
    assert set(challenge.targets["all"].learns) == {"vessel", "cfos", "nucleus", "plaque"}
    names = [run.name for run in challenge.runs("unet", "vessel")]
    assert len(names) == len(set(names))
    assert any(name.endswith("-one") for name in names)


def test_scratch_long_runs_only_where_it_is_asked_for(repository, full):
    assert "scratch-long" not in Challenge.of(full, repository).inits("unet")
    full["inits"] = ["scratch", "scratch-long", "masked"]
    assert "scratch-long" in Challenge.of(full, repository).inits("unet")


def test_scratch_again_runs_only_where_it_is_asked_for_and_from_no_encoder(repository, full):
    assert "scratch-again" not in Challenge.of(full, repository).inits("unet")
    full["inits"] = ["scratch", "scratch-again"]
    assert Challenge.of(full, repository).inits("unet") == ("scratch", "scratch-again")
    again = Run("scratch-again", seed=2)
    assert again.encoder("unet", "vessel-like") is None
    assert again.training_seed != Run("scratch", seed=2).training_seed == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "unnet"}, "method: no recipe 'unnet' takes part, did you mean 'unet'"),
        ({"init": "restore"}, "init: expected one of scratch, scratch-again, masked, shuffled"),
        ({"structures": ["cfoss"]}, "structures: no structure 'cfoss', did you mean 'cfos'"),
        ({"expect": "harm"}, "expect: expected one of gain, no gain, no difference"),
    ],
)
def test_a_control_names_what_takes_part(repository, changes, message):
    content = layered(repository, "controls")
    content["controls"]["positive"] |= changes
    with pytest.raises(InputError, match=re.escape(message)):
        Challenge.of(content, repository).controls()


def test_every_encoder_that_a_run_starts_from_is_planned(repository, full):
    challenge = Challenge.of(full, repository)
    planned = set(encoders_of(challenge))
    for method in challenge.recipes:
        for pretext in challenge.methods[method].pretexts:
            for target in challenge.targets.values():
                for seed in full["seeds"]:
                    assert Encoder(method, target.group, pretext, seed) in planned


def test_larger_configurations_keep_what_the_default_has_trained(repository):
    """All methods take part by themselves; a verdict on the declared gain has three trainings."""
    default, gain, everything = (
        Challenge.of(layered(repository, name), repository) for name in (None, "gain", "full")
    )
    assert {*models_of(default)} < {*models_of(everything)}
    assert default.methods.keys() == everything.methods.keys()
    assert {*encoders_of(gain)} <= {*encoders_of(everything)}
    assert {run.seed for run in gain.runs("unet", "vessel")} == {0, 1, 2}
    assert gain.config.results == default.config.results


def scaled(full, **pretexts):
    return full | {"methods": ["unet"], "recipe_overrides": {"unet": {"pretexts": pretexts}}}


def test_fewer_volumes_are_among_more_of_them_and_differ_between_seeds(repository, full):
    one, four = {"like": "masked", "volumes": 1}, {"like": "masked", "volumes": 4}
    challenge = Challenge.of(scaled(full, one=one, four=four), repository)

    def samples(pretext, seed):
        rows = challenge.volumes_to_learn_from("unet", "spot-like", pretext, seed)
        return {row.sample for row in rows}

    for seed in range(5):
        assert len(samples("one", seed)) == 1
        assert len(samples("four", seed)) == 4
        assert samples("one", seed) < samples("four", seed) < samples("masked", seed)
    assert len({frozenset(samples("four", seed)) for seed in range(5)}) > 1


def test_volumes_of_all_groups_can_be_learnt_from(repository, full):
    challenge = Challenge.of(scaled(full, both={"like": "masked", "groups": "all"}), repository)
    rows = challenge.volumes_to_learn_from("unet", "spot-like", "both", 0)
    assert rows == challenge.volumes("vessel-like") + challenge.volumes("spot-like")
    recipe = challenge.methods["unet"].recipe.pretraining
    assert recipe("both").plain() == recipe("masked").plain()


def test_more_volumes_than_there_are_and_a_likeness_to_nothing_are_refused(repository, full):
    challenge = Challenge.of(scaled(full, m={"like": "masked", "volumes": 99}), repository)
    with pytest.raises(InputError, match=r"m: volumes: expected at most the 26 .*, found 99"):
        challenge.volumes_to_learn_from("unet", "spot-like", "m", 0)
    (left_out,) = Challenge.of(scaled(full, m={"like": "other"}), repository).left_out
    assert "m: like: expected a pretext that stands on its own, found 'other'" in left_out.reason


def test_the_shipped_configurations_are_valid(repository):
    for name in [
        None,
        *(f.stem for f in (repository / "config").glob("*.yaml") if f.stem != "config"),
    ]:
        challenge = Challenge.of(layered(repository, name), repository)
        assert len(expected_runs(challenge)) > 0


def test_every_key_of_the_configuration_is_explained(repository):
    explained = (repository / "config" / "README.md").read_text()
    for key, value in layered(repository).items():
        assert f"`{key}`" in explained, key
        for inner in value if isinstance(value, dict) else ():
            assert f"`{key}.{inner}`" in explained, f"{key}.{inner}"


def test_the_analysis_names_its_structures_where_the_configuration_names_none(repository):
    challenge = Challenge.of(layered(repository, "demo"), repository)
    assert challenge.analysis.primary.structures == ("cfos", "vessel")
    assert challenge.analysis.unseen == ("microglia",)
    settings = challenge.ranking_settings()["analysis"]
    assert settings["primary"]["structures"] == ["cfos", "vessel"]


def test_an_analysis_of_a_structure_that_is_not_there_is_refused(repository, full):
    asked = full["analysis"] | {"unseen": ["microgla"]}
    with pytest.raises(InputError, match=r"analysis.unseen: no structure 'microgla', did you mean"):
        _ = Challenge.of(full | {"analysis": asked}, repository).analysis

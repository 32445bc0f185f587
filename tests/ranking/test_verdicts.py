"""Claims about verdicts: what each needs, their fixed order, and that others change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from selma3d.challenge.analysis import Analysis, Design
from selma3d.challenge.checking import check
from selma3d.ranking.crossed_effects import Gain, GainGrid, mean_gain
from selma3d.ranking.heterogeneity import heterogeneity
from selma3d.ranking.run_pairs import ArmComparison, index_blocks, paired
from selma3d.ranking.tables import COLUMNS
from selma3d.ranking.verdicts import (
    AGAINST_LONG,
    EXPLORATORY,
    GAIN,
    HARM,
    INCONCLUSIVE,
    NO_RELEVANT_GAIN,
    NOT_ANSWERABLE,
    PRIMARY,
    SMALLEST_BUDGET,
    UNSEEN,
    Judgement,
    judge,
    smallest_signed_rank_p,
    verdicts_table,
)
from selma3d.system.errors import InputError

STRUCTURES = ("vessel", "cfos", "microglia")
TARGETS = {"vessel": "vessels", "cfos": "spots", "microglia": "spots"}
SPECIMENS, CASES, SEEDS = 6, 2, 5
NOISE = 0.004


def arm(
    init: str = "scratch",
    skill: float = 0.5,
    *,
    method: str = "unet",
    budgets: Sequence[str] = ("2", "all"),
    structures: Sequence[str] = STRUCTURES,
    seeds: int = SEEDS,
    noise: float = NOISE,
    known: bool = True,
    metric: str = "dice",
) -> pd.DataFrame:
    """Scores of an init; specimens differ in difficulty, which pairs leave out."""
    random = np.random.default_rng(sum(map(ord, method + init)))
    rows = []
    for structure in structures:
        for budget in budgets:
            for seed in range(seeds):
                for specimen in range(SPECIMENS):
                    for case in range(CASES):
                        value = skill + 0.05 * specimen + noise * random.standard_normal()
                        animal = f"{structure}-{specimen}" if known else ""
                        rows.append(
                            {
                                "structure": structure,
                                "specimen": animal,
                                "case": f"{10 * specimen + case:03}",
                                "method": method,
                                "init": init,
                                "budget": budget,
                                "fold": 0,
                                "seed": seed,
                                "metric": metric,
                                "value": value,
                                "fault": "",
                            }
                        )
    return pd.DataFrame(rows)


def declared(
    margin: float = 0.02, unseen: Sequence[str] | None = ("microglia",), **primary: object
) -> Analysis:
    asked = {"method": "unet", "pretext": "masked", "structures": ["vessel", "cfos"], **primary}
    content = {"primary": asked, "margin": margin, "unseen": unseen}
    return check(Analysis, content, "config: analysis")


def judged(*arms: pd.DataFrame, analysis: Analysis | None = None) -> dict[str, Judgement]:
    found = judge(pd.concat(arms, ignore_index=True), analysis or declared(), TARGETS)
    return {judgement.endpoint: judgement for judgement in found}


def both(gain: float, **details: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    return arm(**details), arm("masked", 0.5 + gain, **details)


@pytest.mark.parametrize(
    ("gain", "noise", "verdict"),
    [
        (0.05, NOISE, GAIN),
        (-0.05, NOISE, HARM),
        (0.0, NOISE, NO_RELEVANT_GAIN),
        (0.0, 0.2, INCONCLUSIVE),
    ],
)
def test_verdict_says_what_was_put_in(gain: float, noise: float, verdict: str) -> None:
    primary = judged(*both(gain, noise=noise))[PRIMARY]
    assert primary.verdict == verdict
    assert primary.statement.startswith(verdict)
    assert primary.estimate.gain == pytest.approx(gain, abs=0.05)


def estimate(gain: float, error: float) -> Gain:
    return Gain(gain, 6, 5, 0.0, 0.0, 0.0, False, standard_error=error, degrees=1e6)


@pytest.mark.parametrize(
    ("gain", "error", "statement"),
    [
        (
            0.05,
            0.01,
            "gain: +0.050, between +0.030 and +0.070; "
            "larger than the margin of 0.02 by its 90 % interval",
        ),
        (
            0.025,
            0.01,
            "gain: +0.025, between +0.0054 and +0.045; whether it is larger than the margin of "
            "0.02 is open",
        ),
        (
            0.01,
            0.004,
            "gain: +0.010, between +0.0022 and +0.018; "
            "smaller than the margin of 0.02 by its 90 % interval",
        ),
        (
            0.01,
            0.02,
            "inconclusive: the gain lies between −0.029 and +0.049; this design would detect 0.056 "
            "at 80 %; whether it is larger than the margin of 0.02 is open",
        ),
        (
            0.0,
            0.01,
            "no relevant gain: +0.0, between −0.020 and +0.020; "
            "smaller than the margin of 0.02 by its 90 % interval",
        ),
    ],
)
def test_statement_names_interval_and_margin(gain: float, error: float, statement: str) -> None:
    template = judged(*both(0.05))[PRIMARY]
    found = estimate(gain, error)
    assert replace(template, estimate=found, verdict=statement.split(":")[0]).statement == statement


def test_endpoints_come_in_their_order_while_each_is_decided() -> None:
    found = judged(*both(0.05), arm("scratch-long", 0.5))
    assert list(found) == [PRIMARY, UNSEEN, SMALLEST_BUDGET, AGAINST_LONG]
    assert {judgement.verdict for judgement in found.values()} == {GAIN}
    assert found[UNSEEN].comparison.structures == ("microglia",)
    assert found[SMALLEST_BUDGET].comparison.budget == "2"
    assert found[AGAINST_LONG].comparison.against == "scratch-long"


def test_after_the_first_endpoint_without_a_difference_nothing_is_tested() -> None:
    unseen_alike = arm("masked", 0.5, structures=["microglia"])
    seen_better = arm("masked", 0.55, structures=["vessel", "cfos"])
    found = judged(arm(), unseen_alike, seen_better)
    verdicts = {endpoint: judgement.verdict for endpoint, judgement in found.items()}
    assert verdicts == {PRIMARY: GAIN, UNSEEN: NO_RELEVANT_GAIN, SMALLEST_BUDGET: EXPLORATORY}
    assert found[SMALLEST_BUDGET].statement.startswith("exploratory: +0.05")


def test_endpoints_that_were_not_run_are_not_judged() -> None:
    assert list(judged(*both(0.05, budgets=["all"]), analysis=declared(unseen=None))) == [PRIMARY]


def test_structures_that_are_not_named_are_those_of_the_edition() -> None:
    asked = declared(structures=None, unseen=None)
    found = asked.resolved(seen=["vessel", "cfos"], unseen=["microglia"])
    assert found.primary.structures == ("cfos", "vessel")
    assert found.unseen == ("microglia",)
    assert asked.resolved(seen=["vessel"], unseen=[]).unseen is None
    named = declared(unseen=["other-acquisition"]).resolved(seen=["plaque"], unseen=["microglia"])
    assert named == declared(unseen=["other-acquisition"])


OTHERS = (
    arm("scratch", 0.9, method="segresnet"),
    arm("masked", 0.1, method="segresnet"),
    arm("genesis", 0.7),
    arm("default", 0.2, method="threshold", budgets=["all"], seeds=1),
)


@pytest.mark.parametrize("other", range(len(OTHERS)))
def test_another_entrant_changes_no_verdict(other: int) -> None:
    own = [*both(0.02, noise=0.02), arm("scratch-long", 0.51)]
    alone = judged(*own)
    assert judged(*own, OTHERS[other]) == alone
    assert judged(*own, *OTHERS) == alone


def test_missing_prediction_of_another_entrant_changes_no_verdict() -> None:
    own = both(0.02, noise=0.02)
    assert judged(*own, *(other.iloc[1:] for other in OTHERS)) == judged(*own)


def test_unsettled_value_is_refused_by_its_name() -> None:
    scratch, masked = both(0.02)
    masked.loc[0, "value"] = np.nan
    with pytest.raises(
        InputError,
        match="gains on vessel: specimen 'vessel-0', training 0: expected a number in both arms",
    ):
        judged(scratch, masked, analysis=declared(budget=2))


def test_run_that_only_one_side_has_is_left_out_and_counted() -> None:
    scratch, masked = both(0.05, budgets=["all"])
    primary = judged(scratch, masked[masked["seed"] != 2])[PRIMARY]
    assert primary.unpaired == 2, "one on each of two structures"
    assert primary.estimate.trainings == SEEDS - 1
    assert primary.verdict == GAIN


def test_pairs_with_a_worst_value_are_counted() -> None:
    scratch, masked = both(0.05, budgets=["all"])
    masked.loc[[0, 1], "fault"] = "missing"
    scratch.loc[[1, 2], "fault"] = "nan_prediction"
    assert judged(scratch, masked)[PRIMARY].imputed == 3


def test_structure_without_a_pair_of_runs_is_not_answerable() -> None:
    primary = judged(*both(0.05, structures=["vessel"]))[PRIMARY]
    assert primary.verdict == NOT_ANSWERABLE
    assert primary.statement == "not answerable: no pair of runs on cfos"


def test_one_training_an_arm_is_not_answerable() -> None:
    found = judged(*both(0.05, seeds=1))
    assert {judgement.verdict for judgement in found.values()} == {NOT_ANSWERABLE}
    assert found[PRIMARY].statement == "not answerable with one training an arm"
    assert np.isnan(found[PRIMARY].signed_rank_p), "it would be 0.0005"


def test_unknown_specimens_are_said_beside_the_verdict() -> None:
    primary = judged(*both(0.05, known=False))[PRIMARY]
    assert primary.verdict == GAIN
    assert primary.statement.endswith("over trainings only, on these very images")
    assert np.isnan(primary.signed_rank_p)
    assert primary.estimate.specimens == SPECIMENS, "blocks of neighbouring numbers"


def test_fewer_errors_are_a_gain() -> None:
    """Of a metric where lower is better."""
    scores = arm(skill=5, metric="betti0_error"), arm("masked", 3, metric="betti0_error")
    primary = judged(*scores, analysis=declared(metric="betti0_error", margin=0.5))[PRIMARY]
    assert primary.verdict == GAIN
    assert primary.estimate.gain == pytest.approx(2, abs=0.01)


def test_folds_are_averaged_within_seeds_and_cases_within_specimens() -> None:
    """Gains of the only specimen with two cases: (0.1 + 0.3) / 2 and 0.4, then their mean."""
    rows = []
    for specimen, case, fold, gain in [
        ("a", "0", 0, 0.1),
        ("a", "0", 1, 0.3),
        ("a", "1", 0, 0.4),
        ("a", "1", 1, 0.4),
        ("b", "2", 0, 0.0),
        ("b", "2", 1, 0.0),
    ]:
        for seed in (0, 1):
            for init, value in (("scratch", 0.5), ("masked", 0.5 + gain)):
                rows.append(("cfos", specimen, case, "unet", init, "all", fold, seed, value))
    columns = ["structure", "specimen", "case", "method", "init", "budget", "fold", "seed"]
    scores = pd.DataFrame(rows, columns=[*columns, "value"]).assign(metric="dice", fault="")
    comparison = ArmComparison("unet", "masked", "scratch", "dice", "all", ("cfos",))
    found = paired(scores, comparison, "cfos")
    assert found.grid("spots").values == pytest.approx(np.array([[0.3, 0.3], [0.0, 0.0]]))
    assert found.by_unit(found.pretrained) == pytest.approx(np.array([[0.8, 0.8], [0.5, 0.5]]))


def test_table_has_a_row_a_judgement() -> None:
    found = judged(*both(0.05))
    table = verdicts_table(found.values(), declared())
    assert tuple(table.columns) == COLUMNS["verdicts"]
    assert table["endpoint"].tolist() == list(found)
    row, primary = table.iloc[0], found[PRIMARY]
    assert row["structures"] == "vessel,cfos"
    assert (row["low"], row["high"]) == primary.estimate.interval()
    assert row["statement"] == primary.statement
    assert row["declaration"] == declared().digest()
    assert verdicts_table([], declared()).empty


def grids(gains: Sequence[float], sd: float) -> list[GainGrid]:
    random = np.random.default_rng(0)
    return [
        GainGrid(
            structure=str(i),
            target=str(i),
            specimens=tuple(f"{i}-{n}" for n in range(6)),
            trainings=(0, 1, 2, 3),
            values=gain + sd * random.standard_normal((6, 4)),
        )
        for i, gain in enumerate(gains)
    ]


def test_spread_between_structures_is_found_beyond_their_errors() -> None:
    gains = [0.0, 0.05, 0.1, 0.15]
    of = grids(gains, sd=0.01)
    found = heterogeneity(of, mean_gain(of))
    assert found.between == pytest.approx(np.std(gains, ddof=1), rel=0.1)
    assert found.low < min(gains) and found.high > max(gains)
    alike = grids([0.05] * 4, sd=0.01)
    assert heterogeneity(alike, mean_gain(alike)).between == pytest.approx(0, abs=0.004)


def test_no_gain_on_another_structure_is_predicted_from_two() -> None:
    of = grids([0.0, 0.1], sd=0.01)
    found = heterogeneity(of, mean_gain(of))
    assert found.between > 0
    assert np.isnan([found.low, found.high]).all()


@pytest.mark.parametrize(("specimens", "p"), [(1, 1.0), (5, 0.0625), (6, 0.03125)])
def test_smallest_p_of_the_signed_rank_check(specimens: int, p: float) -> None:
    assert smallest_signed_rank_p(specimens) == p


def test_neighbouring_case_numbers_are_one_block() -> None:
    blocks = index_blocks(["010", "008", "009", "012", "patch"])
    assert blocks["008"] == blocks["010"] == "008 to 010"
    assert blocks["012"] == "012 to 012"
    assert len(set(blocks.values())) == 3


def test_digest_changes_with_what_is_declared() -> None:
    asked = Design(edition="demo", tested={"vessel": ("brain1/a",)}, seeds=(0, 1))
    digest = declared().digest(asked)
    assert digest == declared().digest(asked.model_copy())
    others = [declared(margin=0.03), declared(structures=["vessel"])]
    assert digest not in {other.digest(asked) for other in others}
    changes = [
        {"edition": "other"}, {"tested": {"vessel": ("brain1/a", "brain2/b")}}, {"seeds": (0, 1, 2)}
    ]  # fmt: skip
    for change in changes:
        assert digest != declared().digest(asked.model_copy(update=change)), change


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"margin": 0.02}, "expected the key 'primary'"),
        (
            {"primary": {"method": "unet", "pretext": "masked", "structures": ["a", "a"]}},
            "expected no structure twice",
        ),
        (
            {
                "primary": {"method": "unet", "pretext": "masked", "structures": ["a"]},
                "margin": 0,
            },
            "margin: expected more than 0",
        ),
    ],
)
def test_faulty_declaration_is_told_in_a_line(content: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check(Analysis, content, "config: analysis")


def test_metric_without_a_name_is_refused() -> None:
    with pytest.raises(InputError, match=r"analysis.primary.metric: expected one of .*'dise'"):
        judged(*both(0.05), analysis=declared(metric="dise"))

"""Made-up ranking tables with the columns of the real ones, for tests of figures, tables, report.

The scores are drawn; means, ranks and intervals are computed from them the plain way, so that what
a figure or a sentence says can be checked against the table it came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from selma3d.challenge.analysis import Analysis, Primary
from selma3d.challenge.display import Display
from selma3d.ranking.cost import COLUMNS as COSTS
from selma3d.ranking.statistics import too_few
from selma3d.ranking.tables import COLUMNS
from selma3d.ranking.verdicts import judge, verdicts_table

METRICS_OF = {
    "spot-like": ("dice", "betti0_error"),
    "vessel-like": ("dice", "betti0_error", "betti1_error", "cldice"),
}
STRUCTURES = {
    "vessel": ("vessel-like", True),
    "cfos": ("spot-like", True),
    "microglia": ("vessel-like", False),
}
TITLES = {"vessel": "Blood vessels", "cfos": "c-Fos+ cells", "microglia": "Microglia"}
DISPLAY = Display(
    methods={
        "unet": "U-Net",
        "swin": "Swin UNETR",
        "segresnet": "SegResNet",
        "threshold": "Otsu threshold",
    },
    colours={
        "unet": "#0072B2",
        "swin": "#D55E00",
        "segresnet": "#009E73",
        "threshold": "#7F7F7F",
    },
    structures=TITLES,
)
RULES = ("mean-then-rank", "rank-then-mean", "test-then-rank")
BUDGETS = {"2": 2, "8": 8, "all": 16}
ENTRANT = ["method", "init"]
# What the report has beside the ranking's own tables: costs, and published scores.
UNKNOWN = {
    "cost": pd.DataFrame(columns=list(COSTS)),
    "reported": pd.DataFrame(columns=["team", "structure", "metric", "value", "source"]),
}


@dataclass(frozen=True)
class MadeUp:
    """What the made-up challenge looks like.

    values: varied, tied or constant. known: whether specimens are. gain: what pretraining adds to
    each case's skill, in Dice. unpredicted: predictions that the best entrant lacks.
    """

    methods: Sequence[str] = ("unet", "swin", "segresnet")
    inits: Sequence[str] = ("scratch", "masked")
    rules: Sequence[str] = ("threshold",)
    structures: Sequence[str] = tuple(STRUCTURES)
    specimens: int = 8
    cases: int = 3
    seeds: int = 2
    values: str = "varied"
    known: bool = True
    gain: float = 0.06
    unpredicted: int = 0

    @property
    def testable(self) -> bool:
        return not self.why_untested

    @property
    def counted(self) -> int:
        """Number of specimens as the tables give it: zero where they are unknown."""
        return self.specimens if self.known else 0

    @property
    def why_untested(self) -> str:
        return too_few(self.specimens, known=self.known)

    @property
    def entrants(self) -> list[tuple[str, str]]:
        learnt = [(method, init) for method in self.methods for init in self.inits]
        return learnt + [(rule, "default") for rule in self.rules]

    def disciplines(self) -> Iterator[tuple[str, str, bool, str]]:
        for structure in self.structures:
            scored_as, seen = STRUCTURES[structure]
            for metric in METRICS_OF[scored_as]:
                yield structure, scored_as, seen, metric


def ranking_tables(made_up: MadeUp | None = None) -> dict[str, pd.DataFrame]:
    """Every table of ranking/<track>/, by name."""
    made_up = made_up or MadeUp()
    scores = _scores(made_up)
    cases = _cases(scores, made_up)
    by_metric = _by_metric(cases, made_up)
    bootstrap = _bootstrap(scores)
    leaderboard = _leaderboard(by_metric, bootstrap, made_up)
    pairs = _pairs(scores, made_up)
    best = leaderboard.iloc[0]
    missing = [
        (
            best["method"],
            made_up.structures[0],
            f"{best['init']}-nall-f0-s0",
            f"{i:03}",
            "no prediction",
        )
        for i in range(made_up.unpredicted)
    ]
    profiles = [("microglia", "cldice", 24, 5, 168, 9)] if "microglia" in made_up.structures else []
    tables = {
        "cases": cases,
        "by_metric": by_metric,
        "further_leaderboards": _further(leaderboard),
        "weights": _weights(made_up),
        "references": _references(cases),
        "described": _described(by_metric),
        "quantities": _quantities(cases),
        "agreement": _agreement(cases),
        "bootstrap": bootstrap,
        "pairwise": _pairwise(scores, made_up),
        "rules": _rules(leaderboard),
        "stability": _stability(made_up),
        "verdicts": _verdicts(scores, made_up),
        "controls": [],
        "gains": _gains(pairs, made_up),
        "gains_by_specimen": pairs,
        "curves": _curves(scores, made_up),
        "gap": _gap(by_metric),
        "profiles": profiles,
        "profile_places": leaderboard[["method", "init", "place"]].assign(
            place_robust=leaderboard["place"].to_numpy()[::-1]
        ),
        "missing": missing,
    }
    framed = {
        name: pd.DataFrame(
            np.asarray(rows, dtype=object) if len(rows) else [], columns=COLUMNS[name]
        )
        if isinstance(rows, list)
        else rows.set_axis(COLUMNS[name], axis=1)
        for name, rows in tables.items()
    }
    return framed | UNKNOWN | {"leaderboard": leaderboard}


def empty_tables() -> dict[str, pd.DataFrame]:
    """Every table without a row, as when nothing has been scored."""
    tables = {name: pd.DataFrame(columns=list(columns)) for name, columns in COLUMNS.items()}
    leaderboard = ranking_tables(MadeUp(("unet",)))["leaderboard"].head(0)
    return tables | UNKNOWN | {"leaderboard": leaderboard}


def _scores(made_up: MadeUp) -> pd.DataFrame:
    random = np.random.default_rng(7)
    rows = []
    for structure, scored_as, seen, metric in made_up.disciplines():
        hardness = random.normal(0, 0.08, (made_up.specimens, made_up.cases))
        for order, (method, init) in enumerate(made_up.entrants):
            for budget, patches in BUDGETS.items():
                skill = 0.45 + 0.05 * np.log2(patches) - 0.1 * (order // len(made_up.inits))
                skill += made_up.gain * (init not in ("scratch", "default"))
                noise = random.normal(0, 0.03, (made_up.seeds, *hardness.shape))
                for (seed, specimen, case), wobble in np.ndenumerate(noise):
                    value = _value(metric, skill + hardness[specimen, case] + wobble, made_up)
                    name = f"s{specimen}c{case}"
                    animal = f"s{specimen}" if made_up.known else f"case {name}"
                    rows.append(
                        (
                            method,
                            init,
                            budget,
                            structure,
                            scored_as,
                            seen,
                            animal,
                            name,
                            seed,
                            metric,
                            value,
                        )
                    )
    columns = [
        "method",
        "init",
        "budget",
        "structure",
        "scored_as",
        "seen",
        "specimen",
        "case",
        "seed",
        "metric",
        "value",
    ]
    return pd.DataFrame(rows, columns=columns)


def _value(metric: str, skill: float, made_up: MadeUp) -> float:
    if made_up.values == "constant":
        return 0.0
    skill = min(max(round(skill, 1) if made_up.values == "tied" else skill, 0.0), 1.0)
    return float(round(300 * (1 - skill) ** 4)) if metric.endswith("error") else skill


def _cases(scores: pd.DataFrame, made_up: MadeUp) -> pd.DataFrame:
    keys = [c for c in scores.columns if c not in ("seed", "value")]
    cases = scores.groupby(keys, sort=False)["value"].mean().reset_index()
    cases.insert(keys.index("metric"), "metric_profile", "selma2024")
    if not made_up.known:
        cases["specimen"] = ""
    imputed = (np.arange(len(cases)) % 97 == 0).astype(int)
    return cases.assign(imputed=imputed, doubtful=cases["case"].eq("s1c0"))


def _interval(values: pd.Series, made_up: MadeUp) -> tuple[float, float]:
    if not made_up.testable:
        return np.nan, np.nan
    half = 1.96 * values.std() / np.sqrt(len(values))
    return values.mean() - half, values.mean() + half


def _by_metric(cases: pd.DataFrame, made_up: MadeUp) -> pd.DataFrame:
    keys = [*ENTRANT, "structure", "scored_as", "seen", "metric"]
    rows = []
    for key, group in cases[cases["budget"] == "all"].groupby(keys, sort=False):
        values = group["value"]
        rows.append(
            (
                *key,
                values.mean(),
                values.std(),
                *_interval(values, made_up),
                0.0,
                len(values),
                made_up.counted,
                0,
                0,
                0,
                int((values == 0).sum()) if key[-1] == "dice" else 0,
            )
        )
    table = pd.DataFrame(rows, columns=COLUMNS["by_metric"])
    upward = ~table["metric"].str.endswith("error")
    signed = table["mean"].where(~upward, -table["mean"])
    ranks = signed.groupby([table["structure"], table["metric"]]).rank(method="min")
    return table.assign(rank=ranks)


def _further(leaderboard: pd.DataFrame) -> pd.DataFrame:
    """Two of them: of what is pretrained, and of all entrants."""
    pretrained = leaderboard[leaderboard["init"] == "masked"]
    pretrained = pretrained.assign(place=range(1, len(pretrained) + 1))
    further = [
        pretrained.assign(leaderboard="with", title="With self-supervision"),
        leaderboard.assign(leaderboard="every", title="Every entrant"),
    ]
    return pd.concat(further, ignore_index=True)[list(COLUMNS["further_leaderboards"])]


def _weights(made_up: MadeUp) -> pd.DataFrame:
    rows = [(kind, name, metric) for name, kind, _, metric in made_up.disciplines()]
    weights = pd.DataFrame(rows, columns=["group", "structure", "metric"])
    of_group = weights.groupby("group")["metric"].transform("size") * weights["group"].nunique()
    return weights.assign(weight=1 / of_group)


def _references(cases: pd.DataFrame) -> pd.DataFrame:
    """Of each case; one is harder than any entrant's score allows."""
    dice = cases[(cases["budget"] == "all") & (cases["metric"] == "dice")]
    rows = []
    for (structure, specimen, case), own in dice.groupby(
        ["structure", "specimen", "case"], sort=False
    ):
        best, doubtful = own.sort_values("value").iloc[-1], case == "s1c0"
        low, middle, high = best["value"] / 2, own["value"].median(), best["value"]
        three = (low, high, middle)
        rows.append(
            (
                *(structure, specimen, case, 12.0, 80.0, 0.01, "voxels", 900.0),
                *(low, min(1.0, high + 0.1) if doubtful else low / 2, len(own)),
                *(best["method"], best["init"], high, middle, doubtful),
                *three,
                *three,
                *three,
                0.05,
            )
        )
    return pd.DataFrame(rows, columns=COLUMNS["references"])


def _described(by_metric: pd.DataFrame) -> pd.DataFrame:
    dice = by_metric[by_metric["metric"] == "dice"]
    columns = [*ENTRANT, "structure", "scored_as", "metric", "mean", "sd"]
    further = [dice.assign(metric=name) for name in ("dice", "tolerant_dice", "centroid_f1")]
    table = pd.concat(further, ignore_index=True)[[*columns, "cases"]]
    table.insert(len(columns), "pooled", table["mean"] * 0.9)
    return table.assign(imputed=0)


def _quantities(cases: pd.DataFrame) -> pd.DataFrame:
    dice = cases[(cases["budget"] == "all") & (cases["metric"] == "dice")]
    found = dice.assign(quantity="objects", truth=12.0, predicted=12 * dice["value"])
    return found[list(COLUMNS["quantities"])].reset_index(drop=True)


def _agreement(cases: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for key, own in _quantities(cases).groupby([*ENTRANT, "structure", "quantity"], sort=False):
        apart = own["predicted"] - own["truth"]
        limits = apart.mean() - 1.96 * apart.std(), apart.mean() + 1.96 * apart.std()
        means = own["truth"].mean(), own["predicted"].mean(), apart.mean()
        rows.append((*key, *means, *limits, apart.sum() / own["truth"].sum(), 0.5, len(own), 0))
    return pd.DataFrame(rows, columns=COLUMNS["agreement"])


def _bootstrap(scores: pd.DataFrame) -> pd.DataFrame:
    random = np.random.default_rng(3)
    dice = scores[(scores["budget"] == "all") & (scores["metric"] == "dice")]
    wide = dice.pivot_table(index=ENTRANT, columns="specimen", values="value", sort=False)
    rows = []
    for replicate in range(100):
        drawn = random.integers(0, wide.shape[1], wide.shape[1])
        ranks = (-wide.iloc[:, drawn].mean(axis=1).round(12)).rank(method="min")
        rows += [(*entrant, replicate, rank, rank) for entrant, rank in ranks.items()]
    return pd.DataFrame(rows, columns=COLUMNS["bootstrap"])


def _leaderboard(by_metric: pd.DataFrame, bootstrap: pd.DataFrame, made_up: MadeUp) -> pd.DataFrame:
    groups = by_metric.groupby([*ENTRANT, "scored_as"], sort=False)["rank"].mean().unstack()
    leaderboard = groups.add_prefix("rank ").reset_index()
    leaderboard.insert(2, "mean_rank", groups.mean(axis=1).to_numpy())
    leaderboard.insert(0, "place", leaderboard["mean_rank"].rank(method="min").astype("Int64"))
    leaderboard = leaderboard.sort_values("place", kind="stable").reset_index(drop=True)
    leaderboard["cases"] = made_up.specimens * made_up.cases * len(made_up.structures)
    leaderboard["missing"] = np.where(leaderboard.index == 0, made_up.unpredicted, 0)
    leaderboard[["nan_prediction", "dropped_truth"]] = 0
    places = bootstrap.groupby(ENTRANT)["place"]
    for column, share in (("place_low", 0.025), ("place_high", 0.975)):
        quantiles = places.quantile(share).reindex(pd.MultiIndex.from_frame(leaderboard[ENTRANT]))
        leaderboard[column] = quantiles.to_numpy() if made_up.testable else np.nan
    return leaderboard.assign(note=made_up.why_untested)


def _pairwise(scores: pd.DataFrame, made_up: MadeUp) -> pd.DataFrame:
    full = scores[scores["budget"] == "all"]
    means = full.groupby(["structure", "metric", *ENTRANT], sort=False)["value"].mean()
    rows = []
    for structure, _, _, metric in made_up.disciplines():
        for a, b in combinations(made_up.entrants, 2):
            difference = means[(structure, metric, *a)] - means[(structure, metric, *b)]
            p = max(1e-4, 0.2 - abs(difference)) if made_up.testable else np.nan
            rows.append(
                (
                    structure,
                    metric,
                    *a,
                    *b,
                    made_up.counted,
                    difference,
                    p,
                    np.minimum(1.0, 2 * p),
                    made_up.why_untested,
                )
            )
    return pd.DataFrame(rows, columns=COLUMNS["pairwise"])


def _rules(leaderboard: pd.DataFrame) -> pd.DataFrame:
    """The second rule turns the first two places round; the others agree."""
    by_rule = []
    for rule in RULES:
        leaderboard = leaderboard[[*ENTRANT, "place"]].copy()
        if rule == RULES[1] and len(leaderboard) > 1:
            leaderboard.loc[:1, "place"] = leaderboard.loc[:1, "place"].to_numpy()[::-1]
        by_rule.append(leaderboard.assign(rule=rule)[["rule", *ENTRANT, "place"]])
    return pd.concat(by_rule, ignore_index=True)


def _stability(made_up: MadeUp) -> pd.DataFrame:
    interval = (0.7, 1.0) if made_up.testable else (np.nan, np.nan)
    rows = [("bootstrap", 0.91, *interval, 100)]
    rows += [(f"{a} vs {b}", 0.8, np.nan, np.nan, 1) for a, b in combinations(RULES, 2)]
    rows += [("profile selma2024 vs robust", 0.6, np.nan, np.nan, 1)]
    return pd.DataFrame(rows, columns=COLUMNS["stability"])


def _pairs(scores: pd.DataFrame, made_up: MadeUp) -> pd.DataFrame:
    keys = ["method", "structure", "seen", "metric", "budget", "specimen", "seed"]
    means = scores.groupby([*keys, "init"], sort=False)["value"].mean().reset_index()
    scratch = means[means["init"] == "scratch"].drop(columns="init")
    other = means[~means["init"].isin(["scratch", "default"])]
    pairs = other.merge(scratch, on=keys, suffixes=("_pretrained", "_scratch"))
    pairs = pairs.rename(columns={"value_pretrained": "pretrained", "value_scratch": "scratch"})
    pairs["gain"] = pairs["pretrained"] - pairs["scratch"]
    return pairs[list(COLUMNS["gains_by_specimen"])]


def _gains(pairs: pd.DataFrame, made_up: MadeUp) -> pd.DataFrame:
    keys = ["method", "init", "structure", "seen", "metric", "budget"]
    rows = []
    for key, group in pairs.groupby(keys, sort=False):
        each = group.groupby("specimen")["gain"].mean()
        half = 1.96 * each.std() / np.sqrt(len(each)) if made_up.seeds > 1 else np.nan
        rows.append(
            (
                *key,
                made_up.counted,
                made_up.specimens * made_up.cases,
                made_up.seeds,
                group["scratch"].mean(),
                group["pretrained"].mean(),
                each.mean(),
                each.mean() - half,
                each.mean() + half,
                0.01 if made_up.seeds > 1 else np.nan,
                made_up.specimens - 1 if made_up.seeds > 1 else np.nan,
                each.std(),
                0.01,
                0.01,
                "" if made_up.seeds > 1 else "one training an arm: no interval",
            )
        )
    return pd.DataFrame(rows, columns=COLUMNS["gains"])


def _verdicts(scores: pd.DataFrame, made_up: MadeUp) -> pd.DataFrame:
    """Of the first method and pretext, in Dice; none where nothing was pretrained."""
    pretexts = [init for init in made_up.inits if not init.startswith("scratch")]
    if not pretexts:
        return pd.DataFrame(columns=list(COLUMNS["verdicts"]))
    learnt = tuple(name for name in made_up.structures if STRUCTURES[name][1])
    unseen = tuple(name for name in made_up.structures if not STRUCTURES[name][1])
    primary = Primary(method=made_up.methods[0], pretext=pretexts[0], structures=learnt)
    analysis = Analysis(primary=primary, unseen=unseen or None)
    animals = scores["specimen"] if made_up.known else ""
    judgements = judge(scores.assign(fold=0, fault="", specimen=animals), analysis, {})
    return verdicts_table(judgements, analysis)


def _curves(scores: pd.DataFrame, made_up: MadeUp) -> pd.DataFrame:
    rows = []
    keys = [*ENTRANT, "structure", "metric", "budget"]
    for key, group in scores[scores["init"] != "default"].groupby(keys, sort=False):
        each = group.groupby("specimen")["value"].mean()
        interval = _interval(each, made_up)
        rows.append((*key, BUDGETS[key[-1]], each.mean(), *interval, made_up.counted))
    return pd.DataFrame(rows, columns=COLUMNS["curves"])


def _gap(by_metric: pd.DataFrame) -> pd.DataFrame:
    keys = [*ENTRANT, "scored_as", "metric"]
    wide = by_metric.pivot_table(index=keys, columns="seen", values="mean", sort=False)
    wide = wide.reindex(columns=[True, False]).dropna()
    wide.columns = ["seen_mean", "unseen_mean"]
    gap = wide["seen_mean"] - wide["unseen_mean"]
    return wide.assign(gap=gap, side="unseen").reset_index()[list(COLUMNS["gap"])]

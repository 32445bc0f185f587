"""What a challenge's paper usually shows, in words, by the name of our figure or table."""

from __future__ import annotations

FIGURES: dict[str, str] = {
    "overview": "Scores and ranks of all entrants at a glance",
    "case-ranks": "Ranking heat map over cases",
    "podium": "Podium plot",
    "scores": "Dot-and-box plots of the metrics",
    "pretraining-gains": "Effect of pretraining, with intervals and tests",
    "pretraining-paired": "Results with and without self-supervised learning",
    "learning-curves": "Results over the amount of labels",
    "seen-unseen": "Generalisation to unseen structures",
    "bootstrap-places": "Ranking stability (blob plot)",
    "significance": "Significance map",
    "ranking-rules": "Ranking under other rules (line plot)",
    "metric-profiles": "Ranking under other metric definitions",
    "reported": "Published scores beside reproduced ones",
}
TABLES: dict[str, str] = {
    "leaderboard": "Table of the final ranking",
    "standings": "Table of scores against cost",
    "structures": "Table of scores per structure",
    "budgets": "Table of scores over the amount of labels",
    "gains": "Table of the effect of pretraining",
    "cost": "Table of compute cost",
}

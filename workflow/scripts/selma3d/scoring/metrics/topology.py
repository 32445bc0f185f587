"""Errors of Betti numbers: how far a prediction's parts and tunnels are from the truth's."""

from __future__ import annotations

from .comparison import Comparison


def betti0_error(comparison: Comparison) -> float:
    """|β0(P) − β0(G)| of the whole image, β0 being the number of 26-connected components."""
    return abs(comparison.prediction.objects - comparison.truth.objects)


def betti1_error(comparison: Comparison) -> float:
    """|β1(P) − β1(G)| of the whole image, β1 being the number of tunnels."""
    return abs(comparison.prediction.betti[1] - comparison.truth.betti[1])

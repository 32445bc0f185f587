"""Sentences on cost: what all entrants took together, and which of them took most."""

from __future__ import annotations

from ..challenge.display import Display
from ..ranking.tables import Tables
from . import labels


def what_it_cost(tables: Tables, display: Display) -> str:
    """One sentence; processor and GPU time of all jobs of the track's entrants, summed."""
    cost = tables["cost"]
    if cost.empty or not cost["cpu_hours"].notna().any():
        return "Not known: no job has been measured."
    by_entrant = cost.groupby(["method", "init"], sort=False)[["cpu_hours", "gpu_hours"]].sum()
    unit = "gpu_hours" if by_entrant["gpu_hours"].sum() > 0 else "cpu_hours"
    name = {"gpu_hours": "GPU", "cpu_hours": "CPU"}[unit]
    total = f"{time(by_entrant['cpu_hours'].sum())} of CPU"
    if unit == "gpu_hours":
        total += f" and {time(by_entrant['gpu_hours'].sum())} of GPU"
    else:
        total += " and no GPU"
    if len(by_entrant) == 1:
        return f"In all {total}."
    ordered = by_entrant[unit].sort_values(ascending=False, kind="stable")
    most, least = ordered.index[0], ordered.index[-1]
    return (
        f"In all {total}; most by {display.entrant(*most)} ({time(ordered.iloc[0])} of {name}), "
        f"least by {display.entrant(*least)} ({time(ordered.iloc[-1])})."
    )


def time(hours: float) -> str:
    """A time in the unit that gives it a readable number."""
    if hours >= 1:
        return f"{labels.number(hours)} h"
    if 60 * hours >= 1 or hours == 0:
        return f"{labels.number(60 * hours)} min"
    return f"{labels.number(3600 * hours)} s"

"""Estimate as text: tables of jobs and disk, and their sums on each GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .speeds import FILE, Span

if TYPE_CHECKING:
    from .estimate import Estimate


def as_text(estimate: Estimate) -> str:
    """Tables of jobs and disk, and what they sum to on each GPU of the table."""
    rows = [("stage", "method", "init", "jobs", "to do", "hours each", "GPU hours", "from")]
    rows += [
        (k.stage, k.method, k.init, k.jobs, k.to_do, _told(k.seconds.times(1 / 3600)),
         _told(k.gpu_hours) if k.gpus else "-", k.source)
        for k in estimate.kinds
    ]  # fmt: skip
    lines = _aligned(rows)
    lines += ["", f"jobs to do: {estimate.jobs}, and those of figures, tables and the report"]
    lines.append(
        f"hours, one job after another: {_told(estimate.hours())}, of them "
        f"{_told(estimate.showing_hours())} for figures, tables and the report"
    )
    if any(kind.gpus for kind in estimate.kinds):
        own = estimate.speed
        lines.append(f"GPU hours: {_told(estimate.gpu_hours())} on {own.name} ({own.basis})")
        others = [
            (f"  on {speed.name}", _told(estimate.gpu_hours(speed)), speed.basis)
            for speed in estimate.speeds.values()
            if speed.kind == "gpu" and speed.name != own.name
        ]
        lines += _aligned(others)
        lines.append(f"  (speeds: {FILE}; target `throughput` measures those of your GPU)")
    lines.append("disk:")
    lines += _aligned([
        (f"  {files.what}", f"{files.to_make} to make", f"{files.size / 1e9:.3g} GB", files.source)
        for files in estimate.disk()
    ])  # fmt: skip
    total = sum(files.size for files in estimate.disk())
    lines.append(f"  in all about {total / 1e9:.3g} GB (from half as much to twice as much)")
    return "\n".join(lines)


def _told(hours: Span) -> str:
    """The likely value, and the range."""
    return f"{_short(hours.likely)} ({_short(hours.low)}-{_short(hours.high)})"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}"


def _aligned(rows: list[tuple[object, ...]]) -> list[str]:
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]

"""Facts that a report on a challenge owes its readers and that no file of a run can tell."""

from __future__ import annotations

from pydantic import Field

from .checking import Model


class Disclosure(Model):
    """What only people know; the report says of each that is missing that it was not stated."""

    annotators: str | None = Field(
        None, description="who drew the labels, how many of them a case, and how they agreed"
    )
    tuning: str | None = Field(
        None, description="what was tried of each arm before this run, and on which images"
    )
    test_looks: int | None = Field(
        None,
        ge=1,
        description="how often the test cases have been scored so far, this run included",
    )
    failed_runs: str | None = Field(
        None, description="trainings that failed or were left out, and why"
    )
    conflicts: str | None = Field(None, description="interests and funding of those who took part")

"""The marker of suites that take minutes."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "faults: long suites of kills and faults (make test-faults)")

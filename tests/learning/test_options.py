"""Options of networks and pretext tasks: each says what it is, and stands in the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from selma3d.learning.options import PAGE, options, page


@pytest.mark.parametrize("heading", options())
def test_every_option_is_described_and_has_a_default(heading: str) -> None:
    fields = options()[heading].model_fields
    assert fields
    for field in fields.values():
        assert field.description
        assert not field.is_required()


def test_the_page_of_options_is_that_of_the_code(repository: Path) -> None:
    written = (repository / PAGE).read_text(encoding="utf-8")
    assert written == page(), "python -m selma3d.learning.options writes it anew"

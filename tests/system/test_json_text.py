"""JSON from outside: parsed whole, or refused in one line."""

import pytest

from selma3d.system.errors import InputError
from selma3d.system.json_text import parsed_json


@pytest.mark.parametrize(
    "content", [b'{"a": [1, "\xc3\xa9"]}', b'\xef\xbb\xbf{"a": [1, "\xc3\xa9"]}']
)
def test_text_with_and_without_a_byte_order_mark_is_parsed(content: bytes) -> None:
    assert parsed_json(content, "here") == {"a": [1, "é"]}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"{", "another text"),
        (b"\xff", "other bytes"),
        (b"[" * 60 + b"]" * 60, "too many levels"),
        (b"[" * 100_000, "too many levels"),
        (b'{"a":' * 100_000, "too many levels"),
        (b"1" * 5000, "another text"),
    ],
)
def test_what_is_no_json_of_a_few_levels_is_refused_in_a_line(content: bytes, found: str) -> None:
    with pytest.raises(InputError) as refused:
        parsed_json(content, "pack.json")
    told = str(refused.value)
    assert told.startswith("pack.json: expected JSON") and found in told and "\n" not in told

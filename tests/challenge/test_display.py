"""Entrants and structures have the same titles wherever they are shown."""

from __future__ import annotations

import json

from selma3d.challenge.display import Display

DISPLAY = Display(
    methods={"unet": "U-Net"},
    colours={"unet": "#0072B2"},
    structures={"cfos": "c-Fos+ cells"},
    note="synthetic images",
    partial=("unet, cfos: 1 of 2 runs finished",),
)


def test_a_display_travels_as_plain_data() -> None:
    plain = DISPLAY.plain()
    assert json.loads(json.dumps(plain)) == plain
    assert Display.read(plain) == DISPLAY


def test_an_entrant_is_named_by_its_method_and_init() -> None:
    assert DISPLAY.entrant("unet", "masked") == "U-Net · masked"
    assert DISPLAY.entrant("unet", "masked-ens") == "U-Net · masked, ensemble"
    assert DISPLAY.entrant("unet", "default") == "U-Net"


def test_what_has_no_title_goes_by_its_name() -> None:
    assert DISPLAY.entrant("team", "default") == "team"
    assert DISPLAY.structure("axon") == "axon"

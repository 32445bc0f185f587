"""Options of networks and pretext tasks: each says what it is."""

from __future__ import annotations

import importlib

import pytest

from selma3d.challenge.checking import Model
from selma3d.learning import pretext
from selma3d.learning.networks import NETWORKS

OPTIONS = {
    **{f"network {name}": network.Options for name, network in NETWORKS.items()},
    **{
        f"pretext {name}": importlib.import_module(f"{pretext.__name__}.{name}").TASK.Options
        for name in pretext.names()
    },
}


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_is_described_and_has_a_default(name: str) -> None:
    options: type[Model] = OPTIONS[name]
    assert options.model_fields
    for field in options.model_fields.values():
        assert field.description
        assert not field.is_required()

"""Weights of others as a pack: a checkpoint of torch or Lightning becomes an encoder to start from.

    python -m selma3d.export.foreign_weights DESCRIPTION PACK [--run-code-of SHA256]

DESCRIPTION is a YAML file (config/foreign/): the checkpoint, the prefix of its weights, the network
that they fit, how its images were scaled, card and licence. PACK is the zip that `packs` in the
configuration names. Weights are read as tensors by torch's safe loader, which runs no code of the
file. Where it refuses the file, since that holds objects of other classes, --run-code-of makes the
pickled code in it run, once, on this machine: give the file's SHA-256 to say that you know it, and
do so only for a file from somebody whom you would let type here.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import torch
from pydantic import Field
from torch import Tensor

from ..challenge.checking import Model, check, load_yaml
from ..challenge.edition import Name
from ..challenge.recipe import Input, Network
from ..learning import networks
from ..learning.device import Compute
from ..learning.model_files import read_weights
from ..learning.networks.segmenter import Parts
from ..learning.training.weight_files import weights_of
from ..system.errors import InputError
from .shared_encoders import pack

log = logging.getLogger(__name__)

WHAT = "a checkpoint"
Text = Annotated[str, Field(min_length=1)]


class ForeignWeights(Model):
    """A checkpoint that somebody else made, and what it takes to start from it."""

    file: Text = Field(description="the checkpoint")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}\Z")] | None = Field(
        None, description="of the file, where it is known"
    )
    key: str | None = Field(
        "state_dict", description="of the weights in the file, as Lightning has it; null: the file"
    )
    prefix: str = Field("", description="of the names of the encoder's weights, such as `encoder.`")
    renamed: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.]*\Z")] = Field(
        "net.", description="what stands in place of the prefix in our network"
    )
    method: Name = Field(description="the recipe that starts from it")
    group: Name = Field(description="of structures, as the configuration's `packs` name it")
    network: Network = Field(description="that the weights fit, as in a recipe")
    input: Input = Field(description="as its images were scaled, as in a recipe")
    transfer: Parts = Field(description="what is worth taking over")
    task: Text = Field(description="the pretext that it was trained by, in a word")
    steps: int = Field(0, ge=0, description="of its training, where they are known")
    title: Text = Field(description="for the card")
    idea: Text = Field(description="for the card")
    citation: Text = Field(description="for the card: where it is published")
    licence: Text = Field(description="of the weights")
    seen: Annotated[tuple[Text, ...], Field(min_length=1)] = Field(
        description="images that it has learnt from, a name each, with their licences"
    )


def convert(described: ForeignWeights, packed: Path, run_code_of: str | None = None) -> None:
    """Write the pack. run_code_of: the file's SHA-256, if code in it may run.

    Raises InputError for a file that is absent, damaged, another one, or whose weights don't fit.
    """
    file = Path(described.file)
    found = _sha256(file)
    for expected in (described.sha256, run_code_of):
        if expected not in (None, found):
            raise InputError(f"{file}: expected SHA-256 {expected}, found {found}")
    content = _run_code(file) if run_code_of else read_weights(file, WHAT)
    network = networks.build(described.network)
    network.check_window(described.input.window, "input: window")
    state = _fitting(network, _weights(content, described), described)
    fitted = {**network.state_dict(), **state}
    plain = described.input.model_dump(mode="json")
    volumes = [
        {"sample": name, "channel": 0, "weight": 1.0, "specimen": "", "sha256": found}
        for name in described.seen
    ]
    encoder = {
        **weights_of("encoder", network, described.steps, Compute(torch.device("cpu"))),
        "state": fitted,
        "recipe": {
            "method": described.method,
            "group": described.group,
            "seed": 0,
            "recipe_version": 1,
            "network": network.spec.model_dump(mode="json"),
            "input": plain,
            "pretext": {"task": described.task, "checkpoint": file.name, "sha256": found},
            "volumes": volumes,
        },
        "encoder_prefixes": list(network.encoder_prefixes),
        "input": plain | {"channel": [0]},
        "task": described.task,
        "trains": described.transfer,
        "group": described.group,
        "seed": 0,
        "volumes": volumes,
        "collapsed": False,
        "held_out": {},
    }
    about = {key: getattr(described, key) for key in ("title", "idea", "citation", "licence")}
    with tempfile.TemporaryDirectory() as folder:
        weights, history = Path(folder, "encoder.pt"), Path(folder, "history.tsv")
        torch.save(encoder, weights)
        nothing = pd.DataFrame(columns=["step", "seconds", "name", "value"])
        nothing.to_csv(history, sep="\t", index=False)
        pack(weights, history, packed, method=about, licences=[described.licence])
    log.info("%s: %d weights taken over, wrote %s", file, len(state), packed)


def _weights(content: Any, described: ForeignWeights) -> dict[str, Tensor]:
    """The encoder's weights under our network's names."""
    file, key, prefix = described.file, described.key, described.prefix
    if key is not None:
        if not isinstance(content, Mapping) or key not in content:
            names = ", ".join(map(str, list(content)[:8])) if isinstance(content, Mapping) else "-"
            raise InputError(f"{file}: key: expected {key!r} in the file, found only {names}")
        content = content[key]
    if not isinstance(content, Mapping):
        raise InputError(f"{file}: expected weights by name, found {type(content).__name__}")
    chosen = {
        described.renamed + name.removeprefix(prefix): value
        for name, value in content.items()
        if isinstance(name, str) and name.startswith(prefix) and isinstance(value, Tensor)
    }
    if not chosen:
        names = ", ".join(map(str, list(content)[:5])) or "none"
        raise InputError(f"{file}: prefix: expected names that begin {prefix!r}, found {names}, …")
    return chosen


def _fitting(
    network: networks.Segmenter, given: Mapping[str, Tensor], described: ForeignWeights
) -> dict[str, Tensor]:
    """The weights that will be transferred, each of the shape of the network's. InputError."""
    own = network.state_dict()

    def is_transferred(name: str) -> bool:
        if described.transfer == "encoder":
            return name.startswith(network.encoder_prefixes)
        return not name.startswith(network.head_prefixes)

    unknown = [name for name in given if name not in own]
    for name in filter(is_transferred, [*unknown, *own]):
        expected, found = (tuple(w[name].shape) if name in w else "nothing" for w in (own, given))
        if expected != found:
            theirs = described.prefix + name.removeprefix(described.renamed)
            raise InputError(
                f"{described.file}: {theirs}: expected {expected}, found {found} "
                "(network, prefix and renamed have to be those of the checkpoint)"
            )
        if not bool(torch.isfinite(given[name].float()).all()):
            raise InputError(f"{described.file}: {name}: expected finite weights, found others")
    return {
        name: given[name].detach().to(own[name].dtype).clone()
        for name in own
        if is_transferred(name)
    }


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as source:
            return hashlib.file_digest(source, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{file}: expected {WHAT}, found none ({error.strerror})") from None


def _run_code(file: Path) -> Any:
    log.warning("%s: code in this file is run now, as it was asked for", file)
    try:
        return torch.load(file, map_location="cpu", weights_only=False)
    except Exception as error:  # whatever that code raises
        raise InputError(
            f"{file}: expected {WHAT}, found one that does not load ({type(error).__name__}: "
            f"{error}) (a module that it needs may not be installed)"
        ) from None


def main(arguments: list[str] | None = None) -> int:
    """Convert; 0 if the pack is written, 1 for bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m selma3d.export.foreign_weights",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("description", type=Path)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--run-code-of", metavar="SHA256")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        described = check(ForeignWeights, load_yaml(given.description), given.description)
        convert(described, given.pack, given.run_code_of)
    except InputError as error:
        log.error("error: %s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

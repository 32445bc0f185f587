"""Encoders to share: a zip with the encoder, its history, a card, and checksums of them all.

The members are stored, not compressed, and their names are fixed: nothing else is read from a pack,
and nothing of it is written but under names that the reader chooses.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

from ..challenge.recipe import Input
from ..images import CONTRACT_VERSION
from ..learning.training.weight_files import read_encoder
from ..system.atomic import publish
from ..system.errors import InputError
from ..system.json_text import parsed_json

log = logging.getLogger(__name__)

ENCODER, HISTORY, CARD, FACTS = "encoder.pt", "history.tsv", "card.md", "pack.json"
MEMBERS = (ENCODER, HISTORY, CARD)
FACTS_BYTES = 1 << 20  # more is no list of checksums
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same encoder gives the same pack


def pack(
    encoder: Path,
    history: Path,
    packed: Path,
    *,
    method: Mapping[str, str],
    licences: Sequence[str],
) -> None:
    """Write an encoder file and its history as a pack.

    method: title, idea, citation, licence (of its code). licences: of the images that it learnt
    from. Raises InputError for what is no encoder file.
    """
    content = read_encoder(encoder)
    card = model_card(content, method, licences).encode()
    with publish(packed) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        checksums = {}
        for name, source in ((ENCODER, encoder), (HISTORY, history), (CARD, card)):
            checksums[name] = _store(archive, name, source)
        facts = {
            "contract_version": CONTRACT_VERSION,
            "kind": "encoder-pack",
            "method": content["recipe"]["method"],
            "group": content["group"],
            "pretext": content["task"],
            "data_licences": list(licences),
            "sha256": checksums,
        }
        _store(archive, FACTS, json.dumps(facts, indent=1).encode())


def unpack(
    packed: Path,
    encoder: Path,
    history: Path,
    *,
    input: Input,
) -> None:
    """Check a pack and put its encoder and history where they belong.

    input: of the recipe that will start from it. Raises InputError for a pack that is damaged,
    holds anything but its members, is of another contract, or has seen images scaled otherwise.
    """
    try:
        with zipfile.ZipFile(packed) as archive:
            _check_members(packed, archive, _facts(packed, archive)["sha256"])
            with publish(encoder) as first, publish(history) as second:
                for name, place in ((ENCODER, first), (HISTORY, second)):
                    with archive.open(name) as member, place.open("wb") as target:
                        shutil.copyfileobj(member, target)
                content = read_encoder(first, input, named=packed)
    except FileNotFoundError:
        raise InputError(f"{packed}: expected an encoder's pack, found nothing") from None
    except InputError:
        raise
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, OSError) as error:
        # zipfile seeks where a broken index points; the disk's own errors have other numbers.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise InputError(f"{packed}: expected a whole zip, found: {error}") from None
    log.info(
        "%s: %s of %s, checksums as packed", packed, content["task"], content["recipe"]["method"]
    )


def model_card(
    content: Mapping[str, Any], method: Mapping[str, str], licences: Sequence[str]
) -> str:
    """Markdown: what the encoder is, what it has seen, under which licences, how to use it."""
    volumes = [
        f"| {volume['sample']} | {volume['specimen'] or 'unknown'} | `{volume['sha256'][:16]}` |"
        for volume in content["volumes"]
    ]
    settings = {key: content["recipe"][key] for key in ("pretext", "input", "network")}
    config = {
        "packs": {content["recipe"]["method"]: {"shared": {content["group"]: "path/of/this.zip"}}}
    }
    return "\n".join(
        [
            f"# {method['title']}: encoder for {content['group']} structures",
            "",
            method["idea"].strip(),
            "",
            f"- pretext: {content['task']}, {content['steps']} steps, seed {content['seed']}",
            f"- parameters: {_parameters(content['state'])}",
            f"- contract version: {content['contract_version']}",
            f"- citation: {method['citation']}",
            f"- licence of the code: {method['licence']}",
            f"- licence of the images that it learnt from: {'; '.join(licences) or 'unknown'}",
            "",
            "The weights keep the licence of the images. Test it on no specimen that it has seen:",
            "",
            "| volume | specimen | sha256 |",
            "|---|---|---|",
            *volumes,
            "",
            "To start from it, in the configuration:",
            "",
            _block(config),
            "",
            "Its settings:",
            "",
            _block(settings),
            "",
        ]
    )


def _block(content: Mapping[str, Any]) -> str:
    plain = json.loads(json.dumps(content))
    return f"```yaml\n{yaml.safe_dump(plain, sort_keys=False)}```"


def _parameters(state: Mapping[str, torch.Tensor]) -> str:
    return f"{sum(tensor.numel() for tensor in state.values()) / 1e6:.2f} million, decoder included"


def _store(archive: zipfile.ZipFile, name: str, source: Path | bytes) -> str:
    """Add a member; its SHA-256."""
    data = source if isinstance(source, bytes) else source.read_bytes()
    archive.writestr(zipfile.ZipInfo(name, EPOCH), data)
    return hashlib.sha256(data).hexdigest()


def _facts(packed: Path, archive: zipfile.ZipFile) -> dict:
    """What the pack says of itself, its members being the expected ones."""
    found = [member.filename for member in archive.infolist()]
    wrong = [name for name in found if name not in (*MEMBERS, FACTS)]
    absent = [name for name in (*MEMBERS, FACTS) if found.count(name) != 1]
    if wrong or absent:
        raise InputError(
            f"{packed}: expected once each of {', '.join((*MEMBERS, FACTS))}, found "
            f"{', '.join(map(repr, found))} (take a pack that rule pack_encoder has written)"
        )
    if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
        raise InputError(f"{packed}: expected members stored as they are, found compressed ones")
    if archive.getinfo(FACTS).file_size > FACTS_BYTES:
        raise InputError(f"{packed}: {FACTS}: expected at most {FACTS_BYTES} bytes")
    try:
        facts = parsed_json(archive.read(FACTS), f"{packed}: {FACTS}")
        kind, version = facts["kind"], facts["contract_version"]
        dict(facts["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{packed}: {FACTS}: expected its facts, found: {error!r}") from None
    if (kind, version) != ("encoder-pack", CONTRACT_VERSION):
        raise InputError(
            f"{packed}: expected an encoder's pack of contract version {CONTRACT_VERSION}, "
            f"found {kind} of version {version}"
        )
    return facts


def _check_members(packed: Path, archive: zipfile.ZipFile, checksums: Mapping[str, str]) -> None:
    for name in MEMBERS:
        with archive.open(name) as member:
            found = hashlib.file_digest(member, "sha256").hexdigest()
        if found != checksums.get(name):
            raise InputError(
                f"{packed}: {name}: expected SHA-256 {checksums.get(name)}, found {found} "
                "(the pack is damaged: get it again)"
            )

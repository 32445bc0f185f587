"""Order of an image's channels: the one that its row names stands where networks look for it."""

from __future__ import annotations

from pathlib import Path

from ...system.errors import InputError


def channel_order(named: str, seen: int, names: list[str], path: Path) -> list[int]:
    """The channels of an image in the order in which they are stored.

    named: the row's cell, a number or a name, or empty: as they are. seen: the place at which
    networks look; the channel that is named changes places with it. names: of all channels, empty
    where the file has none. Raises InputError for an unknown channel.
    """
    order = list(range(len(names)))
    if not named:
        return order
    known = ", ".join(
        f"{number} ({name})" if name else str(number) for number, name in enumerate(names)
    )
    folded = [name.casefold() for name in names]
    if named.casefold() in folded:
        chosen = folded.index(named.casefold())
    elif named.isdecimal() and int(named) < len(names):
        chosen = int(named)
    else:
        raise InputError(f"{path}: channel: expected one of {known}, found {named!r}")
    if seen >= len(names):
        raise InputError(
            f"{path}: expected at least {seen + 1} channels, as the structure's channel is {seen}, "
            f"found {known}"
        )
    order[seen], order[chosen] = order[chosen], order[seen]
    return order

"""Names that files give to units of length."""

from __future__ import annotations

_NAMES = {
    1e-4: ("Å", "angstrom"),
    1e-3: ("nm", "nanometer", "nanometre"),
    1.0: (
        *("µm", "μm", "um", "micrometer", "micrometre", "micron", "microns"),
        "\\u00B5m",  # as ImageJ writes the sign
    ),
    1e3: ("mm", "millimeter", "millimetre"),
    1e4: ("cm", "centimeter", "centimetre"),
    25_400.0: ("in", "inch"),
    1e6: ("m", "meter", "metre"),
}
_UM = {name: um for um, names in _NAMES.items() for name in names}


def um_in(unit: str | None) -> float | None:
    """Micrometres in a unit; None where its name is none of length."""
    return None if unit is None else _UM.get(unit.strip())

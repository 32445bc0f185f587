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
_FEWEST_LETTERS = 4  # of a word, whose case says nothing; that of mm and Mm does


def um_in(unit: str | None) -> float | None:
    """Micrometres in a unit; None where its name is none of length."""
    if unit is None:
        return None
    name = unit.strip()
    return _UM.get(name.lower() if len(name) >= _FEWEST_LETTERS and name.isalpha() else name)

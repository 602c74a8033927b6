"""How fast bytes may go, as people write it."""

from __future__ import annotations

_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_LONGEST = 15
RATES = "bytes a second, such as 500k, 10M or 1.5G"


def parse_rate(text: str) -> int:
    """Bytes a second: '500k', '10M', '1.5G' or a plain number; units of 1024, as curl and git have them.

    ValueError for anything else, and for less than one byte.
    """
    unit = _UNITS.get(text[-1:].lower())
    number = text if unit is None else text[:-1]
    is_number = number.isascii() and number.replace(".", "", 1).isdigit() and len(number) <= _LONGEST
    rate = int(float(number) * (unit or 1)) if is_number else 0
    if rate < 1:
        raise ValueError(f"'{text}' is not a rate: it is {RATES}")
    return rate

"""What `realdeg align` says about one pair, read with tolerance: any entry may be missing or odd."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from realdeg.names import file_name

FOLDER = "certificates"
MAX_BYTES = 16 << 20
STATES = ("ok", "weak", "disagrees")


@dataclass(frozen=True)
class Arrow:
    """A displacement measured at one place of the LR crop.

    Attributes:
        x, y: position, LR px.
        dx, dy: displacement that is left, LR px; None where nothing could be measured.
        sd: its standard deviation, LR px, or None.
        state: "ok", "weak" (little texture) or "disagrees" (contradicts the common map).
    """

    x: float
    y: float
    dx: float | None
    dy: float | None
    sd: float | None
    state: str

    @property
    def length(self) -> float | None:
        """LR px, or None where nothing could be measured."""
        return None if self.dx is None or self.dy is None else math.hypot(self.dx, self.dy)


@dataclass(frozen=True)
class Certificate:
    """A certificate's JSON, asked by path; false where there is none.

    Attributes:
        data: the JSON object, or {}.
        damage: why a file that is there could not be used, or "".
    """

    data: Mapping[str, Any] = field(default_factory=dict)
    damage: str = ""

    def __bool__(self) -> bool:
        return bool(self.data)

    def at(self, *path: str) -> Any:
        """Whatever stands at a path of keys; None where a part of it is missing."""
        value: Any = self.data
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    def number(self, *path: str) -> float | None:
        """A finite number, or None."""
        return finite(self.at(*path))

    def text(self, *path: str) -> str:
        """A string, or ""."""
        value = self.at(*path)
        return value if isinstance(value, str) else ""

    def numbers(self, *path: str) -> list[float]:
        """A list of finite numbers, or [] where one of them is not."""
        value = self.at(*path)
        found = [finite(one) for one in value] if isinstance(value, list) else []
        known = [one for one in found if one is not None]
        return known if len(known) == len(found) else []

    def arrows(self, name: Literal["tiles", "blind"]) -> list[Arrow]:
        """Displacements of the fit's tiles or of the blind measurement; [] where their lists do not match."""
        x, y = self.numbers(name, "x"), self.numbers(name, "y")
        columns = [self.at(name, part) for part in ("dx", "dy", "sd", "state")]
        count = len(x)
        if not count or len(y) != count:
            return []
        dx, dy, sd, state = (
            c if isinstance(c, list) and len(c) == count else [None] * count for c in columns
        )
        return [
            Arrow(x[i], y[i], finite(dx[i]), finite(dy[i]), finite(sd[i]), _state(state[i]))
            for i in range(count)
        ]


def read_certificate(dataset: Path, key: str) -> Certificate:
    """The certificate of a pair: empty where there is none, with `damage` where it cannot be used.

    Args:
        dataset: the dataset's folder.
        key: of the pair, relative, with "/" between folders.
    """
    name = f"{FOLDER}/{file_name(key)}.json"
    try:
        with (dataset / name).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return Certificate()
    except (OSError, ValueError) as error:
        return Certificate(damage=f"{name} cannot be read ({getattr(error, 'strerror', None) or error})")
    if len(raw) > MAX_BYTES:
        return Certificate(damage=f"{name} is larger than {MAX_BYTES >> 20} MiB")
    try:
        data = json.loads(raw)
    except json.JSONDecodeError as error:
        return Certificate(damage=f"{name} is damaged (line {error.lineno}: {error.msg})")
    except (ValueError, RecursionError) as error:
        return Certificate(damage=f"{name} is damaged ({type(error).__name__})")
    if not isinstance(data, dict):
        return Certificate(damage=f"{name} holds no JSON object")
    return Certificate(data)


def finite(value: object) -> float | None:
    """A number, or a text that is one, as a finite float; else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def numbers_of(values: Sequence[object]) -> list[float]:
    """The finite numbers among some values."""
    return [number for value in values if (number := finite(value)) is not None]


def _state(value: object) -> str:
    return value if isinstance(value, str) and value in STATES else "ok"

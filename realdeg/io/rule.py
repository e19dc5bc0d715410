"""Naming rules: how a photo's file name tells its scene and its scale, e.g. `{stem}_LR{scale}`."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property

from realdeg.errors import EXIT_USAGE, UserError

PLACEHOLDERS = {"stem": r"[^/]+", "scale": r"[2-9]|1[0-6]", "any": r"[^/]*"}
NAMINGS = {"realsr": ("{stem}_LR{scale}", "{stem}_HR"), "drealsr": ("{stem}_x1", "{stem}_x{scale}")}
"""Rules for LR and HR of published sets: Canon_001_LR4 and Canon_001_HR; sony_1_x1 and sony_1_x4."""


@dataclass(frozen=True)
class Rule:
    """A pattern for relative paths without suffix.

    `{stem}` names the scene and is as long as it can be, `{scale}` is a whole number from 2 to 16, `{any}`
    is text that does not matter, perhaps none; no placeholder reaches across a "/", everything else is
    literal. A placeholder that is repeated must read the same each time, except `{any}`. A rule without
    "/" applies to the file name, and the folder becomes part of the key; one with "/" applies to the whole
    path below the photos' folder, and the key is the stem alone.

    Raises:
        UserError: no `{stem}`, an unknown placeholder, or two that touch (where would one end?).
    """

    text: str

    def __post_init__(self) -> None:
        names = re.findall(r"\{(\w*)\}", self.text)
        unknown = [name for name in names if name not in PLACEHOLDERS]
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        if unknown:
            raise self._refused(f"knows no {{{unknown[0]}}}", f"placeholders: {known}")
        if "stem" not in names:
            raise self._refused("does not say where the scene's name is", "put {stem} there")
        if "}{" in self.text:
            raise self._refused(
                "has two placeholders that touch", "put the text between them that is in the names"
            )

    @property
    def has_scale(self) -> bool:
        """Whether names tell the scale."""
        return "{scale}" in self.text

    @property
    def literal(self) -> int:
        """Number of characters that are not free: how much the rule demands."""
        return len(re.sub(r"\{\w+\}", "", self.text))

    def parse(self, path: str) -> tuple[str, int | None] | None:
        """Key and scale told by a relative path without suffix ("/" between folders); None: not meant."""
        folder, name = ("", path) if "/" in self.text else path.rpartition("/")[::2]
        found = self._pattern.fullmatch(name)
        if not found:
            return None
        scale = int(found["scale"]) if self.has_scale else None
        return f"{folder}/{found['stem']}" if folder else found["stem"], scale

    def name(self, stem: str, scale: int | None = None, anything: str = "") -> str:
        """The name that a photo of this scene and scale would have."""
        values = {"stem": stem, "scale": str(scale), "any": anything}
        return re.sub(r"\{(\w+)\}", lambda part: values[part[1]], self.text)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts, seen = [], set()
        for literal, name in re.findall(
            r"([^{]+|\{(?!\w*\}))|\{(\w*)\}", unicodedata.normalize("NFC", self.text)
        ):
            if literal:
                parts.append(re.escape(literal))
            elif name == "any":
                parts.append(PLACEHOLDERS[name])
            else:
                parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>{PLACEHOLDERS[name]})")
                seen.add(name)
        return re.compile("".join(parts))

    def _refused(self, problem: str, remedy: str) -> UserError:
        return UserError(f"rule {self.text!r}", problem, remedy, exit_code=EXIT_USAGE)

"""What a recipe may say, read off the operations: `realdeg recipes --operations`, docs/recipes.md."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from dataclasses import fields

from realdeg.degrade.ops.context import Op
from realdeg.degrade.ops.registry import OPS

COMMON = {
    "prob": ("1", "Probability that the operation happens."),
    "scales": ("all", "Only at these scales, e.g. [4]."),
    "name": ("", "For keep_order of a shuffle; also names its random numbers."),
}
NESTED = {
    "sequence": (("steps", "", "Operations, one after the other."),),
    "shuffle": (
        ("steps", "", "Operations."),
        ("keep_order", "[]", "Names of steps that keep this order among themselves."),
    ),
    "one_of": (
        ("branches", "", "Lists of operations."),
        ("weights", "equal", "Of the branches."),
    ),
}


def operations() -> str:
    """Markdown: a section for each operation, with its settings, defaults and what they mean."""
    parts = []
    for name, kind in OPS.items():
        about = " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())
        parts.append(f"### {name}\n\n{about}\n")
        rows = [*NESTED.get(name, ()), *_settings(kind)]
        if rows:
            lines = [f"| `{setting}` | {default} | {help} |" for setting, default, help in rows]
            parts.append("\n".join(["| setting | default | |", "|---|---|---|", *lines]) + "\n")
    common = [f"| `{name}` | {default} | {help} |" for name, (default, help) in COMMON.items()]
    parts.append("### All operations\n")
    parts.append("\n".join(["| setting | default | |", "|---|---|---|", *common]) + "\n")
    return "\n".join(parts)


def _settings(kind: type[Op]) -> Iterator[tuple[str, str, str]]:
    for one in fields(kind):
        if one.name in COMMON or "help" not in one.metadata:
            continue
        meta = one.metadata
        plain = meta.get("plain")
        default = "" if plain is None else f"`{_toml(plain)}`"
        known = f" One of {', '.join(f'`{name}`' for name in meta['names'])}." if "names" in meta else ""
        yield one.name, default, f"{meta['help']}{known}"


def _toml(value: object) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{name} = {_toml(part)}" for name, part in value.items())
        return f"{{ {inside} }}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(part) for part in value)}]"
    return json.dumps(value)

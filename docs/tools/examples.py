"""Commands that pages show: found, taken apart, and named under each command of the reference."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```sh\n(.*?)^```", re.M | re.S)
HEADING = re.compile(r"^## (.+)$", re.M)
MOST = 5  # pages named under one command


@dataclass(frozen=True)
class Command:
    """A line of a shell block: where it stands, as it is written, and its words."""

    page: Path
    line: str
    words: tuple[str, ...]


def commands_of(page: Path) -> Iterator[Command]:
    """The commands in ```sh blocks of a page, in order; a backslash joins lines, `#` begins a remark."""
    for block in FENCE.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            words = tuple(shlex.split(line, comments=True))
            if words:
                yield Command(page, re.sub(r"\s+", " ", line).strip(), words)


def pages() -> list[Path]:
    """Pages whose commands are examples: tutorials first, then how-tos."""
    return [*sorted((DOCS / "tutorials").glob("*.md")), *sorted((DOCS / "howto").glob("*.md"))]


def with_places(reference: str) -> str:
    """The reference of commands with links to the pages that show each command at work."""
    shown = [command for page in pages() for command in commands_of(page)]

    def add(heading: re.Match[str]) -> str:
        name = tuple(heading[1].split())
        fitting = [c.page for c in shown if c.words[: len(name)] == name and len(name) > 1]
        places = list(dict.fromkeys(fitting))[:MOST]
        if not places:
            return heading[0]
        links = ", ".join(f"[{_title(p)}]({p.relative_to(DOCS).as_posix()})" for p in places)
        return f"{heading[0]}\n\nAt work in: {links}."

    return HEADING.sub(add, reference)


def _title(page: Path) -> str:
    first = page.read_text(encoding="utf-8").splitlines()[0]
    return first.removeprefix("# ").strip()

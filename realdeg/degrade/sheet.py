"""A contact sheet: pictures of one size in rows, each with a title and lines of text below."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

GAP, LINE, LETTERS = 16, 19, 14  # px
INDENT = 20  # px, of the four spaces before a broken part's further lines
ACROSS = 384  # px a cell with words below its title has at least
ASPECT = 1.5  # width / height of the sheet, about
PAPER, INK, QUIET = "#f7f7f5", "#1d2327", "#5c666d"


@dataclass(frozen=True)
class Cell:
    """A picture, (H, W, 3) uint8, with its title and what is said of it, part by part."""

    picture: npt.NDArray[np.uint8]
    title: str
    words: Sequence[str] = ()


def contact_sheet(cells: Sequence[Cell], heading: Sequence[str]) -> npt.NDArray[Any]:
    """Draw the cells in rows, in their order.

    Args:
        cells: at least one; pictures of one size.
        heading: parts of the line at the top.

    Returns:
        (H, W, 3) uint8; the same for the same input.
    """
    from PIL import Image, ImageDraw, ImageFont

    font, large = ImageFont.load_default(LETTERS), ImageFont.load_default(LETTERS + 3)
    height, width = cells[0].picture.shape[:2]
    titles = max(math.ceil(font.getlength(drawable(cell.title))) for cell in cells)
    across = max(width, titles, ACROSS if any(cell.words for cell in cells) else 0)
    texts = [wrapped(cell.words, font, across) for cell in cells]
    high = [height + LINE * (1 + len(lines)) + 2 * GAP for lines in texts]
    columns = _columns(len(cells), math.sqrt(ASPECT * len(cells) * max(high) / across))
    rows = [range(i, min(i + columns, len(cells))) for i in range(0, len(cells), columns)]
    wide = GAP + columns * (across + GAP)
    top_lines = wrapped(heading, large, wide - 2 * GAP)
    top = 2 * GAP + LINE * len(top_lines)
    sheet = Image.new("RGB", (wide, top + sum(max(high[i] for i in row) for row in rows)), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(top_lines):
        draw.text((GAP, GAP + LINE * number), line, fill=INK, font=large)
    for row in rows:
        for column, i in enumerate(row):
            left, below = GAP + column * (across + GAP), top + height + GAP // 2
            sheet.paste(Image.fromarray(cells[i].picture), (left, top))
            draw.text((left, below), drawable(cells[i].title), fill=INK, font=font)
            for number, line in enumerate(texts[i]):
                draw.text((left, below + LINE * (1 + number)), line, fill=QUIET, font=font)
        top += max(high[i] for i in row)
    return np.asarray(sheet)


def wrapped(parts: Sequence[str], font: FreeTypeFont | ImageFont, width: int) -> list[str]:
    """Parts in lines of this width, px, "|" between those of one line; what had to be broken is indented."""
    lines: list[str] = []
    for part in map(drawable, parts):
        if lines and font.getlength(f"{lines[-1]} | {part}") <= width:
            lines[-1] += f" | {part}"
        else:
            first, *more = _broken(part, font, width - INDENT)
            lines += [first, *(f"    {line}" for line in more)]
    return lines


def drawable(text: str) -> str:
    """Text in letters that Pillow's own font has: accents fall off, what else it lacks becomes "?"."""
    letters = (one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    return "".join(one if " " <= one <= "~" or one == "°" else "?" for one in letters)


def _columns(count: int, ideal: float) -> int:
    """Columns near the ideal that leave the fewest places of the last row empty."""
    near = [n for n in (round(ideal) - 1, round(ideal), round(ideal) + 1) if 1 <= n <= count]
    return min(near, key=lambda n: (-count % n, abs(n - ideal)), default=count)


def _broken(text: str, font: FreeTypeFont | ImageFont, width: int) -> list[str]:
    """Lines of a text, broken between words, inside of one only where it is longer than a line."""
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        if font.getlength(joined) <= width:
            lines[-1] = joined
            continue
        lines += [""] if lines[-1] else []
        for letter in word:  # the name of a kernel can be a long path
            if font.getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return lines

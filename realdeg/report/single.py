"""A page with all that it needs inside: one HTML file to send to somebody."""

from __future__ import annotations

import base64
import re
from html import unescape
from pathlib import Path

from realdeg.atomic import write_text
from realdeg.errors import UserError

INDEX, STYLE = "index.html", "report.css"
MOST = 64_000_000  # bytes: mail takes 25 million, browsers open more than this in seconds rather than at once
KINDS = {".webp": "image/webp", ".png": "image/png", ".gif": "image/gif"}
STYLESHEET = re.compile(r'<link rel="stylesheet" href="([^"]*)">')
SCRIPT = re.compile(r'<script src="([^"]*)"></script>')
PICTURE = re.compile(r'\b(src|href|data-pixels|data-file)="((?!data:|#|https?:)[^"]*\.(?:webp|png|gif))"')
ELSEWHERE = re.compile(r' href="(?!data:|#|https?:)[^"]*\.html"')  # the pairs' pages, which stay behind


def is_page(path: Path) -> bool:
    """Whether a folder is a page that was made already: of an evaluation, a study, or a report."""
    return (path / INDEX).is_file() and (path / STYLE).is_file()


def write_single(page: Path, out: Path, *, most: int = MOST) -> int:
    """Write a page as one file, with pictures as data URIs, style and scripts inside.

    Links to the pages of single pairs are left out, since these are not in it.

    Args:
        page: index.html of a report, an evaluation or a study.
        out: the file.
        most: bytes that it may have.

    Returns:
        Its size, bytes.

    Raises:
        UserError: a picture of the page is not there, the file would be larger than `most`, or cannot be
            written.
    """
    folder = page.parent
    html = _read(page).decode()
    pictures = {unescape(link) for _, link in PICTURE.findall(html)}
    size = len(html) + sum(_size(folder / link) * 4 // 3 for link in pictures)
    if size > most:
        problem = f"would have {size / 1e6:.0f} MB, {most / 1e6:.0f} MB are the most"
        raise UserError(out, problem, "show fewer pairs: a lower `limit`, or a list of marked ones")
    held = {link: _uri(folder / link) for link in sorted(pictures)}
    html = STYLESHEET.sub(lambda m: f"<style>\n{_text(folder / m[1], 'style')}</style>", html)
    html = ELSEWHERE.sub("", html)
    html = html.replace('data-index="index.html"', 'data-index=""')
    html = PICTURE.sub(lambda m: f'{m[1]}="{held[unescape(m[2])]}"', html)
    html = SCRIPT.sub(lambda m: f"<script>\n{_text(folder / m[1], 'script')}</script>", html)
    write_text(out, html)
    return len(html.encode())


def _text(path: Path, tag: str) -> str:
    text = _read(path).decode()
    assert f"</{tag}" not in text, path  # ours, and it would end its tag
    return text


def _uri(path: Path) -> str:
    return f"data:{KINDS[path.suffix]};base64,{base64.b64encode(_read(path)).decode()}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(path, f"cannot be read ({error.strerror})", "make the page again") from None

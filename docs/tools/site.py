"""mkdocs' hooks: tutorials are run, pages from outside docs/ come in, links of the repository hold here."""

from __future__ import annotations

import os
import posixpath
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))
import examples
import tutorials

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = {  # file of the repository -> page of the site
    "benchmarks/README.md": "benchmarks.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "data/sample/CREDITS.md": "credits.md",
}
PAGES = {**OUTSIDE, "README.md": "index.md"}
SHIM = "https://unpkg.com/iframe-worker/shim"
LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)]*)?\))")
_shown: dict[str, tutorials.Page] = {}  # of this build


def on_files(files: Files, config: Any) -> Files:
    """Add the pages from outside, and run the tutorials (REALDEG_DOCS_TUTORIALS=skip leaves outputs out)."""
    for source, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    skip = os.environ.get("REALDEG_DOCS_TUTORIALS") == "skip"
    with ThreadPoolExecutor(2) as pool:
        books = pool.map(tutorials.plain if skip else tutorials.executed, tutorials.NAMES)
    for name, book in zip(tutorials.NAMES, books, strict=True):
        _shown[name] = page = tutorials.page_of(name, book)
        for file, content in page.pictures.items():
            files.append(File.generated(config, f"tutorials/{file}", content=content))
        files.append(File.generated(config, f"tutorials/{name}.ipynb", content=nbformat.writes(book)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Outputs into tutorials, pages at work into the reference of commands, links from repository to site."""
    uri = page.file.src_uri
    name = uri.removeprefix("tutorials/").removesuffix(".md")
    if uri.startswith("tutorials/") and name in _shown:
        markdown = f"{_shown[name].markdown}\n---\n\n[This page as a notebook]({name}.ipynb)\n"
    if uri == "cli.md":
        markdown = examples.with_places(markdown)
    source = next((file for file, made in OUTSIDE.items() if made == uri), f"docs/{uri}")
    return relinked(markdown, source, uri)


def relinked(markdown: str, source: str, uri: str) -> str:
    """Links of a file of the repository as links of its page.

    Args:
        markdown: text of the page.
        source: path of its file in the repository.
        uri: path of the page below docs/.
    """

    def to_page(found: re.Match[str]) -> str:
        target = found[2]
        if ":" in target or target.startswith("/"):
            return found[0]
        inside = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        place = PAGES.get(inside, inside.removeprefix("docs/"))
        if inside in PAGES or (inside.startswith("docs/") and source in OUTSIDE):
            target = posixpath.relpath(place, posixpath.dirname(uri) or ".")
        return f"{found[1]}{target}{found[3]}"

    return LINK.sub(to_page, markdown)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """The one script that the theme takes from elsewhere, for search on pages opened from disk."""
    return output.replace(SHIM, "../" * page.file.url.count("/") + "assets/iframe-worker.js")


def on_post_template(output_content: str, template_name: str, config: Any) -> str:
    """Likewise of 404.html."""
    return output_content.replace(SHIM, "assets/iframe-worker.js")

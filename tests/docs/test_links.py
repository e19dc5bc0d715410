"""Links of pages lead to files and headings that are there, as GitHub shows them; the site's own check is stricter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TEXTS = sorted(
    [
        *DOCS.rglob("*.md"),
        *ROOT.glob("*.md"),
        ROOT / "benchmarks" / "README.md",
        ROOT / "data/sample/CREDITS.md",
    ]
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.M | re.S)
MOST_WORDS_OF_A_HOWTO = 450


def anchors(text: str) -> set[str]:
    """As GitHub and mkdocs make them of headings."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.M):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", TEXTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        place = (page.parent / file).resolve() if file else page
        # Made with the site: the reference of functions has no headings of its own.
        assert place.is_file(), f"{page}: {target}"
        if anchor and place.suffix == ".md":
            assert anchor in anchors(place.read_text(encoding="utf-8")), f"{page}: {target}"


def nav(entry) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    inner = entry.values() if isinstance(entry, dict) else entry
    return [page for part in inner for page in nav(part)]


def test_every_page_is_in_the_navigation_once():
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    listed = nav(settings["nav"])
    assert len(listed) == len(set(listed))
    pages = {p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md")}
    outside = {"benchmarks.md", "changelog.md", "contributing.md", "credits.md"}
    assert set(listed) - outside == pages


def test_the_site_asks_nobody_for_anything():
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert settings["theme"]["font"] is False
    assert settings["strict"] is True
    assert settings["use_directory_urls"] is False  # folders have no index where there is no server
    assert "offline" in settings["plugins"]


def test_howtos_are_listed_and_have_their_four_parts():
    index = (DOCS / "howto" / "index.md").read_text(encoding="utf-8")
    pages = [p for p in (DOCS / "howto").glob("*.md") if p.name != "index.md"]
    assert len(pages) >= 20
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert f"({page.name})" in index
        for part in ("**Goal.**", "**What comes out", "**What can go wrong**", "```"):
            assert part in text, f"{page.name}: {part}"
        assert len(text.split()) <= MOST_WORDS_OF_A_HOWTO, page.name


def test_the_gallery_is_small_and_shown():
    pictures = list((DOCS / "gallery").iterdir())
    assert sum(p.stat().st_size for p in pictures) <= 1_000_000
    text = (DOCS / "gallery.md").read_text(encoding="utf-8")
    assert all(f"gallery/{p.name}" in text for p in pictures)

"""The site is built without a warning, asks nobody for anything, and can be searched from disk."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
pytest.importorskip("mkdocstrings", reason="the extra `docs` is not installed")
pytest.importorskip("nbclient", reason="the extra `docs` is not installed")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Built with tutorials as they are written; running them is another test."""
    out = tmp_path_factory.mktemp("site")
    program = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(out)]
    env = {**os.environ, "REALDEG_DOCS_TUTORIALS": "skip", "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(program, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    return out


@pytest.mark.slow
def test_nothing_is_loaded_from_elsewhere(site):
    loads = r'<(?:script|img|iframe|source)[^>]* src="((?:https?:)?//[^"]+)"|<link[^>]* href="((?:https?:)?//[^"]+)"'
    for page in site.rglob("*.html"):
        assert not re.findall(loads, page.read_text(encoding="utf-8")), page.name
    for sheet in site.rglob("*.css"):
        assert not re.findall(r"url\(.?https?:|@import", sheet.read_text(encoding="utf-8")), sheet.name


@pytest.mark.slow
def test_search_has_its_index_and_its_script_beside_the_pages(site):
    index = (site / "search" / "search_index.js").read_text(
        encoding="utf-8"
    )  # not JSON: pages from disk may not fetch
    assert index.startswith("var __index = ")
    assert "realdeg replay" in index
    assert (site / "assets" / "iframe-worker.js").is_file()
    page = (site / "howto" / "names.html").read_text(encoding="utf-8")
    assert 'src="../assets/iframe-worker.js"' in page


@pytest.mark.slow
def test_the_reference_has_every_public_name(site):
    import realdeg

    text = (site / "api.html").read_text(encoding="utf-8")
    names = [f"realdeg.{name}" for name in realdeg.__all__ if name != "torch"]
    names += [
        "realdeg.torch.PairDataset",
        "realdeg.torch.Degrade",
        "realdeg.torch.Augment",
        "train.load",
        "train.Model",
    ]
    assert not [name for name in names if f'id="{name}"' not in text]
    assert "Examples:" in text
    assert "&gt;&gt;&gt; import realdeg" not in re.sub(
        r"<pre.*?</pre>", "", text, flags=re.S
    )  # sessions are code


@pytest.mark.slow
def test_pages_from_outside_come_in_with_links_that_hold(site):
    """mkdocs has checked the links; that they were turned is what it cannot know."""
    assert (site / "benchmarks.html").is_file()
    figures = (site / "figures.html").read_text(encoding="utf-8")
    assert 'href="benchmarks.html"' in figures
    assert 'href="credits.html"' in figures
    assert (site / "tutorials" / "loop.ipynb").is_file()

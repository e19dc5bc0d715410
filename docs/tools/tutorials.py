"""Tutorials are Markdown whose code is run: cells of Python and of shell, through a Jupyter kernel.

A tutorial in docs/tutorials is read on the web as it stands. The site runs it on the bundled sample and shows
what each cell printed or drew; the same notebook can be downloaded beside the page. What was run is kept in
build/tutorials by the content of the tutorial, of the code and of the sample; unchanged ones are kept.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "tutorials"
CACHE = ROOT / "build" / "tutorials"
NAMES = ("register", "camera", "loop", "train")
SECONDS = 600  # for one cell; far above what any takes, so that a busy machine is no failure
CELL = re.compile(r"^```(python|sh)\n(.*?)^```\n", re.M | re.S)
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass
class Page:
    """A tutorial as the site shows it: Markdown, and the pictures that it names by file."""

    markdown: str
    pictures: dict[str, bytes] = field(default_factory=dict)


def notebook_of(text: str) -> Any:
    """The notebook of a tutorial's Markdown; shell cells are `%%bash`, so a command that fails stops it."""
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    cells, end = [], 0
    for found in CELL.finditer(text):
        if before := text[end : found.start()].strip():
            cells.append(new_markdown_cell(before))
        code = found[2].rstrip("\n")
        cells.append(new_code_cell(f"%%bash\n{code}" if found[1] == "sh" else code))
        end = found.end()
    if after := text[end:].strip():
        cells.append(new_markdown_cell(after))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"  # nbformat draws ids at random
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return new_notebook(cells=cells, metadata=kernel)


def executed(name: str) -> Any:
    """The notebook of a tutorial with the outputs of its cells, run now unless nothing changed since.

    Raises:
        CellExecutionError: a cell raised, or a command did not end with 0.
    """
    import nbformat

    text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    kept = CACHE / f"{name}-{_content(text)}.ipynb"
    if not kept.is_file():
        book = notebook_of(text)
        _run(book)
        CACHE.mkdir(parents=True, exist_ok=True)
        for older in CACHE.glob(f"{name}-*.ipynb"):
            older.unlink(missing_ok=True)
        part = kept.with_suffix(f".{os.getpid()}.part")
        nbformat.write(book, part)
        part.replace(kept)
    return nbformat.read(kept, as_version=4)


def plain(name: str) -> Any:
    """The notebook without outputs, for a quick look at the prose."""
    return notebook_of((FOLDER / f"{name}.md").read_text(encoding="utf-8"))


def page_of(name: str, book: Any) -> Page:
    """Markdown of a notebook: code, and below it what it printed, its tables and pictures."""
    page = Page("")
    parts = []
    for cell in book.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        shell = cell.source.startswith("%%bash\n")
        language, code = ("sh", cell.source[len("%%bash\n") :]) if shell else ("python", cell.source)
        parts.append(f"```{language}\n{code}\n```")
        parts += [text for out in _joined(cell.get("outputs", ())) if (text := _shown(out, name, page))]
    page.markdown = "\n\n".join(parts) + "\n"
    return page


def _joined(outputs: Any) -> list[Any]:
    """Outputs, what was printed one after the other as one: a kernel tells it in pieces."""
    joined: list[Any] = []
    for out in outputs:
        if joined and out.output_type == joined[-1].output_type == "stream":
            joined[-1].text += out.text
        else:
            joined.append(out.copy())
    return joined


def _shown(out: Any, name: str, page: Page) -> str:
    if out.output_type == "stream":
        text = ANSI.sub("", out.text).rstrip()
        return f"```{{.text .no-copy}}\n{text}\n```" if text else ""
    data = out.get("data", {})
    if "image/png" in data:
        file = f"{name}_{len(page.pictures) + 1}.png"
        page.pictures[file] = base64.b64decode(data["image/png"])
        return f"![output of the code above]({file})"
    if "text/html" in data:
        html = re.sub(r"<style.*?</style>", "", data["text/html"], flags=re.S)
        html = html.replace('<table border="1" class="dataframe">', "<table>").strip()
        return f'<div class="output">\n{html}\n</div>'
    if "text/plain" in data:
        return f"```{{.text .no-copy}}\n{data['text/plain']}\n```"
    return ""


def _run(book: Any) -> None:
    """Run all cells in a new folder that sees data/ as a checkout does."""
    from nbclient import NotebookClient

    with tempfile.TemporaryDirectory(prefix="realdeg-tutorial-", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "data").symlink_to(ROOT / "data")
        # The kernel and its commands are this interpreter's, whatever else is installed.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        python = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        env = {**os.environ, "PATH": path, "PYTHONPATH": python, "NO_COLOR": "1", "TERM": "dumb"}
        env.setdefault("OMP_NUM_THREADS", "1")  # two tutorials are run at once
        client = NotebookClient(
            book, timeout=SECONDS, coalesce_streams=True, resources={"metadata": {"path": folder}}
        )
        client.extra_arguments = ["--IPKernelApp.log_level=ERROR"]  # it warns of its own transport
        client.execute(env=env)


def _content(text: str) -> str:
    digest = hashlib.sha256(text.encode())
    files = [*ROOT.glob("data/sample/MANIFEST.csv"), *Path(__file__).parent.glob("tutorials.py")]
    for room in ("realdeg", "train", "pipelines"):
        files += (ROOT / room).rglob("*.py")
    for file in sorted(files):
        digest.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]

"""Tutorials run on the bundled sample from their first cell to the last, and end with something to look at."""

from __future__ import annotations

import base64
import io
import re

import pytest

pytest.importorskip("nbclient", reason="the extra `docs` is not installed")
pytest.importorskip("ipykernel", reason="the extra `docs` is not installed")

import tutorials
from nbformat import v4
from PIL import Image


@pytest.mark.slow
@pytest.mark.parametrize("name", tutorials.NAMES)
def test_a_tutorial_runs_and_ends_with_a_picture_or_a_table(name):
    """`make docs` runs the same; what it kept is taken here, if nothing changed since."""
    book = tutorials.executed(name)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells)
    last = [out.get("data", {}) for out in cells[-1].outputs]
    assert any("image/png" in data or "text/html" in data for data in last)
    for cell in cells:
        for out in cell.outputs:
            if picture := out.get("data", {}).get("image/png"):
                with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
                    assert len(image.convert("L").getcolors(256) or range(256)) > 8  # something is on it
    told = "".join(out.get("text", "") for cell in cells for out in cell.outputs)
    assert "Warning" not in told
    assert "Traceback" not in told


def test_all_tutorials_are_known():
    pages = {page.stem for page in tutorials.FOLDER.glob("*.md")}
    assert pages == {*tutorials.NAMES, "index"}


def test_markdown_becomes_cells():
    book = tutorials.notebook_of(
        "# Title\n\nText.\n\n```python\nx = 1\nx\n```\n\n```sh\nrealdeg --version\n```\nEnd.\n"
    )
    assert [(cell.cell_type, cell.source) for cell in book.cells] == [
        ("markdown", "# Title\n\nText."),
        ("code", "x = 1\nx"),
        ("code", "%%bash\nrealdeg --version"),
        ("markdown", "End."),
    ]
    assert tutorials.notebook_of("a\n") == tutorials.notebook_of("a\n")  # nothing in it is drawn


def test_outputs_are_shown_below_their_cell():
    cell = v4.new_code_cell("f()")
    cell.outputs = [
        v4.new_output("stream", name="stdout", text="one tw"),
        v4.new_output("stream", name="stderr", text="o\x1b[31m\n"),
        v4.new_output(
            "execute_result",
            data={"text/html": '<style scoped>x</style><table border="1" class="dataframe">'},
        ),
        v4.new_output("display_data", data={"image/png": base64.b64encode(b"png").decode()}),
    ]
    page = tutorials.page_of("name", v4.new_notebook(cells=[cell]))
    assert re.sub(r"\n+", "\n", page.markdown).splitlines() == [
        "```python", "f()", "```",
        "```{.text .no-copy}", "one two", "```",
        '<div class="output">', "<table>", "</div>",
        "![output of the code above](name_1.png)",
    ]  # fmt: skip
    assert page.pictures == {"name_1.png": b"png"}

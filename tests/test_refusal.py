"""Refusal has one shape: what was found, and what to do; its line is the manifest's."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np

from realdeg.align.settings import AlignSettings
from realdeg.align.verdict import Rejection, wrong_zoom
from realdeg.kernels.from_pairs import kernel_of_pair
from realdeg.kernels.from_photo import unusable
from realdeg.pools.found import told
from realdeg.refusal import Refusal

ROOT = Path(__file__).resolve().parents[1] / "realdeg"
ROOMS = ("align", "kernels", "noise", "pools", "camera")


def test_the_line_is_what_was_found_and_what_to_do():
    assert str(Refusal("is flat", "use another")) == "is flat; use another"
    assert str(Refusal("is flat")) == "is flat"
    assert told(Path("a/b.png"), Refusal("is flat", "use another")) == "a/b.png: is flat; use another"
    assert told(Path("b.png"), Refusal("is (1; 2) flat")) == "b.png: is (1; 2) flat"


def test_rooms_refuse_in_this_shape():
    flat = np.full((80, 80, 3), 0.5, np.float32)
    assert isinstance(unusable(flat, 64), Refusal)
    assert unusable(flat[:40], 64) == Refusal("is 80x40 px, 64 px a side are needed", "use larger photos")
    assert isinstance(kernel_of_pair(flat, np.full((160, 160, 3), 0.5), 2), Refusal)
    refused = wrong_zoom(4.0, 2, AlignSettings())
    assert refused == Rejection("zoom is x4.000, far from x2", "use a larger `scale`", 4.0)
    assert isinstance(refused, Refusal)


def test_no_function_says_why_in_a_bare_text():
    """`str` with "" = fine, and `X | str`, were two more shapes."""
    wrong = []
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.FunctionDef) or node.returns is None:
                    continue
                kind = ast.unparse(node.returns)
                why = (ast.get_docstring(node) or "").startswith(("Why", "why"))
                if (why and kind in ("str", "str | None")) or "| str" in kind:
                    wrong.append(f"{path.name}:{node.lineno} {node.name} -> {kind}")
    assert not wrong, "\n".join(wrong)

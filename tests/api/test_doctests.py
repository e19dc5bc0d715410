"""The examples of public docstrings, and those of docs/library.md, run as they are printed."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
MODULES = ("realdeg", "realdeg.torch", "train")
CALLED = {"Recipe": ["load", "__call__"], "KernelPool": ["load", "from_arrays"]}
CALLED |= {"NoisePool": ["load", "from_arrays"], "Camera": ["load"]}


def documented() -> list[tuple[str, object]]:
    """Public functions and classes, and the methods that a user calls."""
    found = []
    for module in MODULES:
        room = importlib.import_module(module)
        for name in room.__all__:
            value = getattr(room, name)
            if inspect.ismodule(value):
                continue
            found.append((f"{module}.{name}", value))
            for method in CALLED.get(name, []):
                found.append((f"{module}.{name}.{method}", getattr(value, method)))
    return found


WITHOUT = {  # values that functions give: the functions have the examples
    *("realdeg.BadInput", "realdeg.Camera", "realdeg.Dataset", "realdeg.Degraded", "realdeg.KernelEstimate"),
    *("realdeg.KernelPool", "realdeg.NoisePool", "realdeg.Pair", "realdeg.Photo", "realdeg.Plan"),
    *("realdeg.Recipe", "realdeg.Registration", "realdeg.UserError", "realdeg.torch.Sample", "train.Model"),
}


@pytest.mark.parametrize(("name", "thing"), documented(), ids=[name for name, _ in documented()])
def test_examples_run(name, thing, dataset, monkeypatch, one_thread):
    monkeypatch.chdir(ROOT)
    parts = doctest.DocTestParser().get_examples(thing.__doc__ or "")
    assert bool(parts) != (name in WITHOUT), "it has no example" if not parts else "it has one now"
    test = doctest.DocTest(parts, {"example": str(dataset)}, name, None, None, thing.__doc__)
    told: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(test, out=told.append)
    assert not told, "".join(told)


@pytest.mark.parametrize(("name", "thing"), documented(), ids=[name for name, _ in documented()])
def test_docstrings_say_what_comes_in_and_goes_out(name, thing):
    text = inspect.getdoc(thing) or ""
    assert len(text) > 20, f"{name} has no docstring"
    if inspect.isfunction(thing) or inspect.ismethod(thing):
        sections = ["Args:", "Raises:"]
        assert all(section in text for section in sections), name
        for parameter in inspect.signature(thing).parameters.values():
            if parameter.name != "self":
                assert re.search(rf"\b{parameter.name}\b", text.split("Args:")[1]), (name, parameter.name)


def test_the_page_of_the_library_runs_from_top_to_bottom(dataset, monkeypatch, tmp_path, one_thread):
    """Every block of Python on the page, in one session, at the root of the repository."""
    page = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    assert len(blocks) >= 8
    monkeypatch.chdir(ROOT)
    names = {"__name__": "page"}
    for block in blocks:
        code = block.replace('"pairs"', repr(str(dataset))).replace('"out/', f'"{tmp_path.as_posix()}/')
        exec(compile(code, "docs/library.md", "exec"), names)

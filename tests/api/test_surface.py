"""What `import realdeg` promises: names and signatures, in a kept file; importing it loads nothing.

REALDEG_WRITE_DOCS=1 writes the file anew. A line that changes is a decision: it goes into CHANGELOG.md.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import realdeg
import train

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path(__file__).parent / "surface.txt"
HEAVY = ("numpy", "cv2", "torch", "pandas", "kornia", "scipy", "pydantic", "PIL")
MODULES = ("realdeg", "realdeg.torch", "train")


def members(kind: type) -> list[str]:
    """What a public class gives beyond its constructor."""
    lines = []
    for name, value in sorted(vars(kind).items()):
        if name.startswith("_") and name not in (
            "__call__",
            "__iter__",
            "__len__",
            "__getitem__",
            "__contains__",
        ):
            continue
        if isinstance(value, property) or hasattr(value, "func"):
            lines.append(f"  .{name}")
        elif inspect.isfunction(value) or isinstance(value, classmethod | staticmethod):
            inner = getattr(value, "__func__", value)
            lines.append(f"  .{name}{inspect.signature(inner)}")
    fields = getattr(kind, "__dataclass_fields__", {})
    return [f"  .{name}" for name in fields if not name.startswith("_")] + lines


def made_from(kind: type) -> str:
    """What a class is made from, where callers make it themselves; functions give the others."""
    given = hasattr(kind, "__required_keys__") or (
        hasattr(kind, "__dataclass_fields__") and kind is not realdeg.Rejection
    )
    return "" if given else str(inspect.signature(kind))


def surface() -> str:
    lines = []
    for module in MODULES:
        found = importlib.import_module(module)
        for name in sorted(found.__all__):
            value = getattr(found, name)
            if inspect.ismodule(value):
                lines.append(f"{module}.{name}: module")
            elif inspect.isclass(value):
                lines += [f"{module}.{name}: class{made_from(value)}", *members(value)]
            else:
                lines.append(f"{module}.{name}{inspect.signature(value)}")
    return "\n".join(lines) + "\n"


def test_names_and_signatures_are_those_that_were_decided():
    if os.environ.get("REALDEG_WRITE_DOCS"):
        KEPT.write_text(surface())
    assert surface() == KEPT.read_text()


@pytest.mark.parametrize("module", [realdeg, train])
def test_every_name_is_there_for_people_and_for_type_checkers(module):
    tree = ast.parse(Path(module.__file__).read_text())
    seen = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.asname for node in seen.body for alias in node.names}
    assert typed == set(module.__all__)
    assert set(module.__all__) <= set(dir(module))
    for name in module.__all__:
        assert getattr(module, name) is getattr(module, name)


@pytest.mark.parametrize("module", [realdeg, train])
def test_a_name_that_is_not_there_is_an_attribute_error(module):
    with pytest.raises(AttributeError, match="has no attribute 'degrades'"):
        module.degrades  # noqa: B018


def loaded(code: str) -> set[str]:
    """Heavy modules in a new process that has run some code."""
    code = f"import sys\n{code}\nprint([m for m in {HEAVY} if m in sys.modules])"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(ast.literal_eval(made.stdout))


def test_importing_loads_nothing_heavy():
    assert loaded("import realdeg, train\ndir(realdeg)\nrealdeg.UserError\nrealdeg.Rejection") == set()


def test_arrays_need_no_torch():
    names = [name for name in realdeg.__all__ if name != "torch"]
    assert "torch" not in loaded(f"import realdeg\nfor name in {names}: getattr(realdeg, name)")


def test_a_room_that_is_imported_first_hides_no_function():
    """Importing `realdeg.x` makes it an attribute of `realdeg`: no room may have the name of a function."""
    rooms = {path.stem for path in (ROOT / "realdeg").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms & set(realdeg.__all__) == {"torch"}


def test_the_version_is_that_of_the_package():
    from importlib.metadata import version

    assert realdeg.__version__ == version("realdeg")

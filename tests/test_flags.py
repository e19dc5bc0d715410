"""The library speaks of its arguments: `max_error`. Only the command line knows flags, and puts them there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from realdeg.cli.main import cli
from realdeg.io.save import write_image
from realdeg.records import read_manifest

ROOT = Path(__file__).resolve().parents[1]
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+|(?<![\w-])-o\b")
WHOLE = re.compile(r"`[^`]*`|pip install [^`]*")  # commands in full
OURS = ("cli", "__main__.py", "options.py")
LINES = "pairing_hint.py"  # writes whole command lines
TOLD = (
    *("; run again with --config THIS_FILE", "realdeg kernels --train"),  # the heading of run.yaml
    'style="--thick:',
)


def strings(path: Path) -> list[tuple[int, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            for one in body:  # docstrings, also of constants
                if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant):
                    docs.add(one.value)
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docs
    ]


def test_no_string_of_the_library_names_a_flag():
    wrong = []
    for path in sorted((ROOT / "realdeg").rglob("*.py")):
        if path.relative_to(ROOT / "realdeg").parts[0] in OURS or path.name == LINES:
            continue
        for line, text in strings(path):
            if FLAG.search(WHOLE.sub("", text)) and not any(told in text for told in TOLD):
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {text[:90]!r}")
    assert not wrong, "\n".join(wrong)


def test_reasons_in_a_manifest_name_what_whoever_ran_the_job_can_give(tmp_path):
    """The command line flags, a caller of the library arguments."""
    from realdeg.degrade.folder import degrade_folder
    from realdeg.degrade.settings import DegradeSettings

    for name in ("a.png", "a.jpg"):
        write_image(tmp_path / "hr" / "a.png", np.zeros((32, 32, 3), np.uint8))
        (tmp_path / "hr" / name).write_bytes((tmp_path / "hr" / "a.png").read_bytes())
    ran = CliRunner().invoke(
        cli, ["degrade", str(tmp_path / "hr"), "--scale", "2", "-j1", "-o", str(tmp_path / "o")]
    )
    assert "or choose by --prefer png or jpeg" in ran.output.replace("jpeg or png", "png or jpeg")
    reasons = [record.reason for record in read_manifest(tmp_path / "o")]
    assert all("--prefer" in reason for reason in reasons)
    report = degrade_folder(tmp_path / "hr", tmp_path / "l", DegradeSettings(2))
    assert all("`prefer`" in record.reason for record in report.records)
    assert all("`prefer`" in record.reason for record in read_manifest(tmp_path / "l"))

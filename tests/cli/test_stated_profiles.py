"""Which colour profile HR was converted from stands in the manifest; the file that was not converted is not kept."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import programs
from PIL import Image

from realdeg.io.photo import read


def realdeg(*arguments: object) -> None:
    programs.run("realdeg", *arguments).check_returncode()


def rows(out: Path) -> dict[str, dict[str, str]]:
    with (out / "manifest.csv").open(encoding="utf-8") as file:
        return {row["key"]: row for row in csv.DictReader(file)}


def test_degrade(tmp_path, odd):
    (tmp_path / "hr").mkdir()
    for name in ("cicp_display_p3.png", "reserved_bytes_used.bmp", "grey_alpha_with_grey_profile.png"):
        (tmp_path / "hr" / name).write_bytes((odd / name).read_bytes())
    realdeg("degrade", tmp_path / "hr", "-o", tmp_path / "out", "--scale", 2, "-j", 1)
    stated = {key: row["source_profile"] for key, row in rows(tmp_path / "out").items()}
    grey = read(odd / "grey_alpha_with_grey_profile.png").profile
    assert stated == {
        "cicp_display_p3": "Display P3",
        "reserved_bytes_used": "sRGB",
        "grey_alpha_with_grey_profile": grey,
    }
    hr = tmp_path / "out" / rows(tmp_path / "out")["cicp_display_p3"]["hr"]
    np.testing.assert_array_equal(np.asarray(Image.open(hr)), read(odd / "cicp_display_p3.png").pixels)
    assert b"cICP" not in hr.read_bytes()  # converted pixels under the old statement would be converted twice


def test_adopt(tmp_path, odd):
    for side, shape in (("lr", (48, 64)), ("hr", (96, 128))):
        (tmp_path / side).mkdir()
        source = odd / ("gama_linear.png" if side == "lr" else "cicp_display_p3.png")
        if side == "hr":
            (tmp_path / side / "a.png").write_bytes(source.read_bytes())
        else:
            image = Image.open(source).resize(shape[::-1])
            image.convert("L").save(tmp_path / side / "a.png")
    realdeg("adopt", "--lr", tmp_path / "lr", "--hr", tmp_path / "hr", "-o", tmp_path / "out", "--scale", 2)
    (row,) = rows(tmp_path / "out").values()
    assert (row["lr_profile"], row["hr_profile"]) == ("sRGB", "Display P3")
    assert row["lr_notes"] == "grey expanded to RGB"

"""The picture of the README: how LR was made, from the page of a set degraded from the bundled photos.

    python benchmarks/how_lr_was_made.py [docs/images/how-lr-was-made.png]

Degrades the clean photos by the recipe of Real-ESRGAN, writes the report, keeps of its page the section on
how LR was made, and takes a picture of it by chromium. Needs chromium (or Google Chrome) on the PATH.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from realdeg.degrade.folder import degrade_folder
from realdeg.degrade.settings import DegradeSettings
from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.report.page import build_report

CLEAN = Path(__file__).parents[1] / "data" / "sample" / "clean"
OUT = Path(__file__).parents[1] / "docs" / "images" / "how-lr-was-made.png"
DRAWS = 60  # of each photo: enough for histograms with a shape
SAMPLES = 4
CHARTS = ("blur: sigma, px", "resize: factor", "JPEG: quality")
SIZE = 1180, 1600  # px of the window
MARGIN = 24
MOST = 300_000  # bytes


def section(page: Path) -> str:
    """The page with nothing but the section, of which some charts stay."""
    html = page.read_text(encoding="utf-8")
    part = html[html.index('<section id="degradation">') : html.index('<section id="pairs">')]
    part = re.sub(r'(?s)<div class="charts small names">.*?</div>', "", part)
    charts = re.findall(r"(?s)<figure><svg.*?</figure>", part)
    for chart in charts:
        if not any(f">{label}<" in chart for label in CHARTS):
            part = part.replace(chart, "", 1)
    part = re.sub(r'(?s)<details><summary>recipe.toml.*?</details>|<p class="quiet">.*?</p>', "", part)
    head = html[: html.index("<body>")]
    style = "<style>section{margin:0}body{padding:16px 0}html{color-scheme:light}</style>"
    return f"{head}{style}<body><main>{part}</main>"


def trimmed(pixels: np.ndarray) -> np.ndarray:
    """The picture without the empty rows at its end."""
    rows = np.flatnonzero((pixels != pixels[-1, 0]).any((1, 2)))
    return np.ascontiguousarray(pixels[: min(len(pixels), rows[-1] + MARGIN)])


def main(out: Path) -> None:
    """Make the picture."""
    browser = next(
        (p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), ""
    )
    if not browser:
        raise SystemExit("chromium is not on the PATH")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        degrade_folder([CLEAN], place / "set", DegradeSettings(4, recipe="realesrgan", draws=DRAWS))
        page = build_report(place / "set", title="set", limit=SAMPLES, pages=False)
        (page.parent / "picture.html").write_text(section(page), encoding="utf-8")
        shot = place / "shot.png"
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--screenshot={shot}"]
        size = f"--window-size={SIZE[0]},{SIZE[1]}"
        url = (page.parent / "picture.html").as_uri()
        subprocess.run([browser, *flags, size, f"--user-data-dir={place / 'profile'}", url], check=True)
        write_image(out, trimmed(read(shot).pixels), level=9)
    size_kb = out.stat().st_size / 1e3
    print(f"{out}: {size_kb:.0f} kB")
    if size_kb > MOST / 1e3:
        raise SystemExit(f"larger than {MOST / 1e3:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else OUT)

"""The ablations as one command."""

from __future__ import annotations

import csv
import re

import pytest
from click.testing import CliRunner

from pipelines.d2c_ablation import ablate, main, variants
from realdeg.errors import UserError
from realdeg.records import read_manifest
from train.d2c.build import build
from train.d2c.settings import PRESETS, D2CSettings


@pytest.fixture
def base(tiny):
    return D2CSettings(**{**tiny, "alpha": 1e-2, "alpha_schedule": "constant"})


def test_each_variant_differs_in_one_thing(base):
    made = variants(base)
    assert {name for name in made if name.startswith("width-")} == {f"width-{c}" for c in (1, 2, 3, 4)}
    assert made["width-2"] == made["depth-2"] == made["full"] == base
    for name, settings in made.items():
        if name.startswith("single-"):
            assert settings.depth == 0
            continue
        changed = [f for f in vars(base) if getattr(settings, f) != getattr(base, f)]
        assert len(changed) <= 1, name
    assert made["without-divergence"].alpha == 0
    assert made["without-deep-residual"].deep_residual is False


def test_table_and_plots_and_no_second_training(base, make_dataset, tmp_path):
    data, out, told = make_dataset(), tmp_path / "out", []
    rows = ablate(data, out, base, only="*th-[123]", seeds=2, say=told.append)
    assert [row["name"] for row in rows] == ["width-1", "width-2", "width-3", "depth-1", "depth-2", "depth-3"]
    with (out / "ablation.csv").open(newline="") as file:
        table = {row["name"]: row for row in csv.DictReader(file)}
    counts = [int(table[f"width-{c}"]["parameters"]) for c in (1, 2, 3)]
    assert counts == sorted(counts)
    assert table["width-2"] == {**table["depth-2"], "name": "width-2"}  # one run under two names
    assert table["width-1"]["branch_rms_8bit"] == ""
    assert float(table["depth-1"]["active_triplets"]) <= 2
    assert float(table["width-3"]["psnr_y_sd"]) > 0
    assert (out / "ablation.md").read_text().count("\n| width-") == 3
    page = (out / "report" / "index.html").read_text()
    assert "6 variants of a tree over rcan of 8 channels, 6 steps, 2 runs each" in page
    assert "<svg" in page
    # Every variant beside the others, one run of two names once.
    captions = re.findall(r"<figcaption>([^<]+)</figcaption></figure>", page)
    assert captions[-7:] == ["bicubic", "width-1", "width-2", "width-3", "depth-1", "depth-3", "HR"]
    keys = re.findall(r'class="item" data-key="([^"]+)"', page)
    tested = [row.key for row in read_manifest(data) if row.split == "test"]
    assert keys
    assert set(keys) <= set(tested)
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/checkpoints/*")}
    again = ablate(data, out, base, only="*th-[123]", seeds=2, say=told.append)
    assert again == rows
    assert {path: path.stat().st_mtime_ns for path in out.glob("*/checkpoints/*")} == before


def test_the_command(make_dataset, tmp_path):
    data, out = make_dataset(), tmp_path / "out"
    words = ["--data", str(data), "-o", str(out), "--steps", "2", "--patch", "12", "--device", "cpu"]
    planned = CliRunner().invoke(main, [*words, "--dry-run"])
    assert planned.output.count("would train") == 19
    assert not out.exists()
    done = CliRunner().invoke(main, [*words, "--preset", "d2c-0.16m", "--only", "without-*"])
    assert done.exit_code == 0, done.output
    assert "without-deep-residual, seed 0" in done.output
    with pytest.raises(UserError, match="known: full, width-1"):
        ablate(data, out, D2CSettings(), only="wide*")


@pytest.mark.parametrize("preset", ["tiny", "paper"])
def test_single_paths_have_the_parameters_of_the_tree(preset):
    base = D2CSettings(**{**PRESETS[preset], "scale": 4})
    made = variants(base)
    sizes = {}
    for name in ("full", "single-deep", "single-wide"):
        nets = [net for net in build(made[name]) if net is not None]
        sizes[name] = sum(p.numel() for net in nets for p in net.parameters())
    assert sizes["single-deep"] == pytest.approx(sizes["full"], rel=0.02)
    assert sizes["single-wide"] == pytest.approx(sizes["full"], rel=0.025)  # channels are whole
    assert made["single-deep"].width == base.width
    assert made["single-wide"].groups == 2 * base.groups

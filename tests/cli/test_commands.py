"""The command line as a user meets it: subprocesses on tiny real files; one line, a documented exit code."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import programs
import pytest
import yaml

from realdeg.align.homography import Homography
from realdeg.align.lens import Lens
from realdeg.align.warp import Warp
from realdeg.io.save import write_image
from realdeg.records import read_manifest

SAMPLE_NAMES = ("coffee.png", "chelsea.png")


def realdeg(*args, ok=None, env=None):
    result = programs.run("realdeg", *args, env=env)
    assert "Traceback" not in result.stderr
    if ok is not None:
        assert result.returncode == ok, result.stderr
    return result


def module(*args, ok=None):
    result = programs.run(*args)
    assert "Traceback" not in result.stderr
    if ok is not None:
        assert result.returncode == ok, result.stderr
    return result


def one_line(result, *words):
    """The last line on standard error is one clear message with all the words."""
    lines = [line for line in result.stderr.splitlines() if line.startswith(("error:", "Error:"))]
    assert len(lines) == 1, result.stderr
    for word in words:
        assert str(word) in lines[0], lines[0]


@pytest.fixture
def photos(tmp_path, sample):
    """Two scenes as LR (reduced) and HR (shifted by a few pixels)."""
    for name in SAMPLE_NAMES:
        image = cv2.imread(str(sample / "clean" / name))[..., ::-1]
        small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        write_image(tmp_path / "lr" / name, small)
        write_image(tmp_path / "hr" / name, np.ascontiguousarray(image[5:-4, 7:-6]))
    return tmp_path / "lr", tmp_path / "hr"


def test_help_is_quick_and_light():
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(
        [sys.executable, "-m", "realdeg", "--help"], capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    for word in ("align", "degrade", "report", "Examples", "Exit codes", "Make pairs"):
        assert word in result.stdout
    # The figure is in benchmarks/; this only catches an import of numpy, cv2 or torch on a slow machine.
    assert after.ru_utime - before.ru_utime < 1.0
    code = "import sys; from realdeg.cli.main import cli; from click.testing import CliRunner; CliRunner().invoke(cli, ['--help']); print([m for m in ('numpy','cv2','torch') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "name", ["align", "degrade", "adopt", "split", "tile", "export", "report", "doctor", "completion"]
)
def test_every_command_has_help(name):
    assert "Usage: realdeg" in realdeg(name, "--help", ok=0).stdout


def test_misspelt_names_get_a_hint(tmp_path):
    assert "Did you mean 'align'?" in realdeg("algin", ok=2).stderr
    assert "--scale" in realdeg("degrade", tmp_path, "-o", tmp_path / "o", "--scal", "2", ok=2).stderr
    result = realdeg("align", "--lr", "a", "--hr", "b", "-o", "c", "--brightness", "curv", ok=2)
    assert "Did you mean 'curve'?" in result.stderr
    assert "--scale" in realdeg("degrade", tmp_path, "-o", tmp_path / "o", ok=2).stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed(shell):
    assert "_REALDEG_COMPLETE" in realdeg("completion", shell, ok=0).stdout


def test_align_makes_a_dataset(photos, tmp_path):
    lr, hr = photos
    out = tmp_path / "out"
    plan = realdeg("align", "--lr", lr, "--hr", hr, "-o", out, "--dry-run", ok=0)
    assert "would register 2 pairs" in plan.stdout
    assert not out.exists()
    result = realdeg("align", "--lr", lr, "--hr", hr, "-o", out, ok=0)
    assert "2 pairs" in result.stdout
    assert "scale: 2" in result.stdout
    for record in read_manifest(out):
        small, large = cv2.imread(str(out / record.lr)), cv2.imread(str(out / record.hr))
        assert large.shape == (2 * small.shape[0], 2 * small.shape[1], 3)
        assert float(record.detail["zoom"]) == pytest.approx(2, abs=2e-3)
        # HR = LR's frame shifted by (7, 5): x_hr = 2 x + 1/2 - 7. The whole map, lens terms included, is in
        # the certificate; the homography alone may hide in its terms what those take back.
        told = json.loads((out / "certificates" / f"{record.key}.json").read_text())["map"]
        lens = told["lens"]
        bend = Lens(lens["centre"], lens["radius"], lens["centre_hr"], lens["radius_hr"], lens["terms"])
        plane = Homography(np.reshape(told["homography"], (3, 3)))
        x, y, width, height = (int(v) for v in record.detail["lr_crop"].split())
        corners = np.array([[x, y], [x + width - 1, y], [x, y + height - 1], [x + width - 1, y + height - 1]])
        mapped = Warp(plane, bend, Homography.identity())(corners.astype(float))
        assert mapped == pytest.approx(2 * corners + 0.5 - np.array([7, 5]), abs=0.1)
    settings = yaml.safe_load((out / "run.yaml").read_text())
    assert settings["scale"] == 2
    again = realdeg("align", "--config", out / "run.yaml", "-o", out, "--json", ok=0)
    assert json.loads(again.stdout)["resumed"] == 2
    result = realdeg("align", "--config", out / "run.yaml", "-o", out, "--edge", "8", ok=1)
    one_line(result, out, "was made with other settings (edge was 1, is 8)", "--overwrite")


def test_align_names_every_bad_photo_and_goes_on(photos, tmp_path):
    lr, hr = photos
    (lr / "text.jpg").write_text("this is no photo")
    write_image(hr / "text.png", np.zeros((20, 20, 3), np.uint8))
    jpeg = cv2.imencode(".jpg", cv2.imread(str(hr / "coffee.png")))[1].tobytes()
    (lr / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (hr / "cut.jpg").write_bytes(jpeg)
    for folder, grey in ((lr, 119), (hr, 120)):
        write_image(folder / "dot.png", np.full((1, 1, 3), grey, np.uint8))
        write_image(folder / "wall.png", np.full((300, 400, 3), grey, np.uint8))
        write_image(folder / "same.png", np.full((30, 40, 3), 120, np.uint8))
    write_image(lr / "alone.png", np.full((30, 40, 3), 120, np.uint8))
    (lr / "other.png").write_bytes((lr / "coffee.png").read_bytes())
    (hr / "other.png").write_bytes((hr / "chelsea.png").read_bytes())
    (lr / "swapped.png").write_bytes((hr / "coffee.png").read_bytes())
    (hr / "swapped.png").write_bytes((lr / "coffee.png").read_bytes())
    out = tmp_path / "out"
    result = realdeg("align", "--lr", lr, "--hr", hr, "-o", out, "--scale", "2", "-j", 1, ok=1)
    reasons = {r.key: (r.status, r.reason) for r in read_manifest(out) if not r.ok}
    expected = {
        "text": ("failed", "text.jpg"),
        "cut": ("failed", "cut.jpg"),
        "dot": ("rejected", "too small: LR has 1x1 px"),
        "wall": ("rejected", "too little texture"),
        "same": ("failed", "LR and HR (same.png) are the same photo byte for byte"),
        "alone": ("failed", "has no partner"),
        "other": ("rejected", "no common scene"),
        "swapped": ("rejected", "HR is smaller than LR"),
    }
    assert set(reasons) == set(expected)
    for key, (status, words) in expected.items():
        assert reasons[key][0] == status
        assert words in reasons[key][1]
        assert len([line for line in result.stderr.splitlines() if words in line and key in line]) == 1
    assert sum(r.ok for r in read_manifest(out)) == 2
    assert "every reason" in result.stdout
    realdeg("align", "--lr", lr, "--hr", hr, "-o", out, "--scale", "2", "--exit-zero", "-q", "-j", 1, ok=0)


def test_a_wrong_scale_says_the_right_one(photos, tmp_path):
    result = realdeg(
        "align", "--lr", photos[0], "--hr", photos[1], "-o", tmp_path / "o", "--scale", "4", "-j", 1, ok=1
    )
    assert "so x4 would enlarge HR by" in result.stderr


def test_folders_that_are_not_there_or_empty(photos, tmp_path):
    lr, hr = photos
    one_line(
        realdeg("align", "--lr", tmp_path / "none", "--hr", hr, "-o", tmp_path / "o", ok=1), tmp_path / "none"
    )
    (tmp_path / "empty").mkdir()
    one_line(
        realdeg("align", "--lr", tmp_path / "empty", "--hr", hr, "-o", tmp_path / "o", ok=1), "empty", "no "
    )
    one_line(realdeg("degrade", tmp_path / "empty", "--scale", "2", "-o", tmp_path / "o", ok=1), "empty")
    one_line(realdeg("align", "--lr", lr, "--hr", lr, "-o", tmp_path / "o", ok=1), "same folder")
    (tmp_path / "others").mkdir()
    write_image(tmp_path / "others" / "zebra.png", np.zeros((9, 9, 3), np.uint8))
    one_line(
        realdeg("align", "--lr", lr, "--hr", tmp_path / "others", "-o", tmp_path / "o", ok=1),
        "no photo has a partner",
    )


def test_name_collisions_cost_one_pair_and_name_both_photos(photos, tmp_path):
    lr, hr = photos
    write_image(lr / "coffee.jpg", np.zeros((9, 9, 3), np.uint8))
    result = realdeg("align", "--lr", lr, "--hr", hr, "-o", tmp_path / "o", "-j", 1, ok=1)
    words = "coffee: is ambiguous: coffee.jpg and coffee.png could each be its LR photo; rename or remove"
    assert words in result.stderr
    assert [(r.key, r.status) for r in read_manifest(tmp_path / "o")] == [
        ("chelsea", "ok"),
        ("coffee", "failed"),
    ]
    (lr / "chelsea.png").unlink()
    one_line(
        realdeg("align", "--lr", lr, "--hr", hr, "-o", tmp_path / "o", ok=1),
        "no photo has a single partner",
        words,
    )


def test_outputs_that_cannot_be_written(photos, tmp_path):
    (tmp_path / "file").write_text("")
    result = realdeg(
        "align", "--lr", photos[0], "--hr", photos[1], "--scale", "2", "-o", tmp_path / "file" / "o", ok=1
    )
    one_line(result, "file", "cannot be made", "choose another output")


def test_degrade_runs_and_says_what_it_drew(photos, sample, tmp_path):
    pool = sample / "kernels" / "kernels_12.mat"
    args = ("degrade", photos[1], "--scale", "2", "--kernel-pool", pool, "-o", tmp_path / "o")
    assert "would make 2 pairs" in realdeg(*args, "--dry-run", ok=0).stdout
    assert not (tmp_path / "o").exists()
    result = realdeg(*args, "--json", ok=0)
    assert json.loads(result.stdout)["ok"] == 2
    for record in read_manifest(tmp_path / "o"):
        assert re.fullmatch(r"kernels_12/\d+", record.detail["kernel"])
    result = realdeg(
        "degrade", photos[1], "--scale", "2", "--kernel-pool", photos[1], "-o", tmp_path / "p", ok=1
    )
    one_line(result, "holds no kernel", "give .mat, .npy or .npz")


def test_dataset_commands(photos, tmp_path):
    out = tmp_path / "o"
    realdeg("degrade", photos[1], "--scale", "2", "-o", out, "-q", ok=0)
    assert "1 train, 1 test" in realdeg("split", out, "--test", "1", ok=0).stdout
    realdeg("tile", out, "-o", tmp_path / "t", "--size", "128", "-q", ok=0)
    assert len(read_manifest(tmp_path / "t")) > 4
    realdeg("adopt", "--lr", out / "LR", "--hr", out / "HR", "-o", tmp_path / "a", "-q", ok=0)
    assert len(read_manifest(tmp_path / "a")) == 2
    page = json.loads(realdeg("report", out, "--json", ok=0).stdout)["report"]
    assert Path(page).stat().st_size > 2000


@pytest.mark.parametrize("command", [("split",), ("report",), ("tile", "-o", "OUT")])
def test_a_dataset_without_a_manifest(command, tmp_path):
    args = [tmp_path / "out" if word == "OUT" else word for word in command]
    one_line(realdeg(args[0], tmp_path, *args[1:], ok=1), tmp_path, "is not a dataset", "realdeg align")


def test_settings_in_force_are_shown_and_read_back(photos, tmp_path):
    lr, hr = photos
    shown = realdeg(
        "align", "--lr", lr, "--hr", hr, "-o", tmp_path / "o", "--edge", "9", "--show-settings", ok=0
    ).stdout
    values = yaml.safe_load(shown)
    assert values["edge"] == 9
    assert values["brightness"] == "auto"
    assert not (tmp_path / "o").exists()
    (tmp_path / "s.yaml").write_text(shown)
    again = realdeg("align", "--config", tmp_path / "s.yaml", "--edge", "7", "--show-settings", ok=0).stdout
    assert yaml.safe_load(again) == {**values, "edge": 7}  # a flag wins over the file


def test_options_files_know_their_names(photos, tmp_path):
    (tmp_path / "run.yaml").write_text("scale: 2\nbrightnes: none\n")
    result = realdeg("align", "--config", tmp_path / "run.yaml", "-o", tmp_path / "o", ok=2)
    one_line(result, "run.yaml", "unknown option 'brightnes'", "did you mean 'brightness'?")


def test_training_programs_say_what_is_wrong(photos, tmp_path):
    result = module("train.d2c", "--data", tmp_path, "-o", tmp_path / "run")
    assert result.returncode == 1
    one_line(result, "is not a dataset")
    result = module("train.evaluate", "--data", tmp_path, "--run", tmp_path)
    assert result.returncode in (1, 2, 3)
    one_line(result, tmp_path)
    realdeg("degrade", photos[1], "--scale", "2", "-o", tmp_path / "x2", "-q", ok=0)
    result = module("train.d2c", "--data", tmp_path / "x2", "-o", tmp_path / "run", "--scale", "4")
    assert result.returncode == 2
    one_line(result, "holds x2 pairs, not x4")


def test_pipeline_plan(photos, tmp_path):
    result = module(
        "pipelines.d2crealsr",
        "--lr",
        photos[0],
        "--hr",
        photos[1],
        "--scale",
        "2",
        "-o",
        tmp_path / "o",
        "--dry-run",
        ok=0,
    )
    assert "1. register 2 pairs x2" in result.stdout
    assert "5. write the report" in result.stdout
    assert not (tmp_path / "o").exists()


def test_ctrl_c_exits_with_130_and_the_same_command_goes_on(tmp_path):
    """Against a run that nobody disturbed: the same bytes."""
    rng = np.random.default_rng(0)
    for i in range(40):
        write_image(tmp_path / "hr" / f"{i:02d}.png", rng.integers(0, 256, (400, 400, 3)).astype(np.uint8))
    args = ["degrade", tmp_path / "hr", "--scale", "2", "-j", "1", "-o"]
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "realdeg", *map(str, args), str(out)], stderr=subprocess.PIPE, text=True
    )
    while not list(out.glob("LR/*.png")):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "run the same command again to go on" in said
    done = len(read_manifest(out))
    assert 1 <= done < 40
    result = realdeg(*args, out, "--resume", "--json", ok=0)
    assert json.loads(result.stdout)["resumed"] == done
    realdeg(*args, tmp_path / "calm", "-q", ok=0)
    for file in [*(p.relative_to(out) for p in out.rglob("*.png")), "manifest.csv"]:
        assert (out / file).read_bytes() == (tmp_path / "calm" / file).read_bytes()


def test_a_name_longer_than_names_may_be(tmp_path):
    write_image(tmp_path / "lr" / "photo.png", np.full((32, 32, 3), 90, np.uint8))
    for args in (("degrade", "a" * 300, "--scale", 2), ("align", "--lr", tmp_path / "lr", "--hr", "a" * 300)):
        one_line(
            realdeg(*args, "-o", tmp_path / "out", ok=1),
            "aaa...: is longer than names may be; check the path",
        )

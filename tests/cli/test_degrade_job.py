"""`realdeg degrade`, `replay`, `recipes` and `pool` as jobs: killed, resumed, refused, on one core or several.

Truth: a run on one core that nobody disturbs, to the byte.
"""

from __future__ import annotations

import contextlib
import csv
import ctypes
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import programs
import pytest
from scipy.io import loadmat, savemat

from realdeg.atomic import TEMPORARY
from realdeg.cli.main import main
from realdeg.degrade import stored_pools
from realdeg.degrade.folder import degrade_folder
from realdeg.degrade.recipe.presets import PRESETS
from realdeg.degrade.replay import replay
from realdeg.degrade.settings import DegradeSettings
from realdeg.imaging.kernels import gaussian
from realdeg.io.save import write_image
from realdeg.jobs import Running
from realdeg.pools.noise_pool import NoisePool

RECIPES = ("realesrgan", "realsr")
IMAGES = 20
LONG = ("--draws", 8)  # long enough that a job can be killed in its middle


def command(*args: object) -> list[str]:
    return [sys.executable, "-m", "realdeg", *map(str, args)]


def run(
    *args: object, ok: int = 0, cwd: Path | None = None, before=None, fresh: bool = False
) -> subprocess.CompletedProcess[str]:
    """A job to its end; `before` is done in its process, as its first act; `fresh` starts Python."""
    if before or fresh:
        done = subprocess.run(command(*args), capture_output=True, text=True, timeout=120, preexec_fn=before)
    else:
        done = programs.run("realdeg", *args, cwd=cwd)
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr + done.stdout, done.stderr
    assert done.returncode == ok, done.stderr
    return done


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if line]


def refused(*words: object, ok: int, args: tuple[object, ...]) -> None:
    """The command ends with one line that has all the words; in this process, as each start costs half a second."""
    stderr, before = io.StringIO(), sys.argv
    sys.argv = ["realdeg", *map(str, args)]
    try:
        with contextlib.redirect_stderr(stderr), pytest.raises(SystemExit) as end:
            main()
    finally:
        sys.argv = before
    told = [line for line in stderr.getvalue().splitlines() if line]
    assert (len(told), end.value.code) == (1, ok), told
    assert "internal error" not in told[0]
    for word in words:
        assert str(word) in told[0], told[0]


def noise(seed: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """Clean images, some a multiple of 4 and some not; kernels as KernelGAN leaves them; noise as pictures."""
    root = tmp_path_factory.mktemp("world")
    for i in range(IMAGES):
        write_image(root / "hr" / ("a" if i % 3 else "b") / f"{i}.png", noise(i, 120 + i % 2, 160 - i % 3))
    for name, kernel in (("one", gaussian(13, 1.5)), ("two", gaussian(21, 3.0, 1.2, 0.5))):
        (root / "kernels" / name).mkdir(parents=True)
        savemat(root / "kernels" / name / f"{name}_kernel_x4.mat", {"Kernel": kernel})
        savemat(root / "kernels" / name / f"{name}_kernel_x2.mat", {"Kernel": gaussian(9, 1.0)})
    for i in range(3):
        write_image(root / "noise" / f"patch_{i:03d}.png", noise(i, 20 + 30 * i, 50) // 16 + 120)
    return root


def options(world: Path, recipe: str) -> list[object]:
    pools = ["--kernel-pool", world / "kernels", "--noise-pool", world / "noise"]
    return ["--scale", 4, "--seed", 3, "--recipe", recipe, "-q", *(pools if recipe == "realsr" else [])]


def degrade(world: Path, recipe: str, out: Path, *more: object, ok: int = 0, **kwargs: object):
    return run("degrade", world / "hr", "-o", out, *options(world, recipe), *more, ok=ok, **kwargs)


def contents(out: Path) -> dict[str, bytes]:
    """All files of a dataset but the journal, whose lines follow the workers."""
    files = (path for path in out.rglob("*") if path.is_file() and path.name != "ledger.jsonl")
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def manifest(out: Path) -> list[dict[str, str]]:
    with (out / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rewrite(out: Path, change) -> None:
    """Change rows of a manifest by hand: `change(row)`."""
    rows = manifest(out)
    for row in rows:
        change(row)
    with (out / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {p.relative_to(folder).as_posix(): (p.stat().st_mtime_ns, p.read_bytes()) for p in every(folder)}


def every(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def calm(world, tmp_path_factory) -> dict[str, Path]:
    """What a run on one core makes that nobody disturbs, by recipe."""
    outs = {recipe: tmp_path_factory.mktemp("calm") / recipe for recipe in RECIPES}
    for recipe, out in outs.items():
        degrade(world, recipe, out, "-j", 1, fresh=True)
        assert len(contents(out)) == 2 * IMAGES + 4 + 2 * (recipe == "realsr")
        assert all(row["status"] == "ok" for row in manifest(out))
    return outs


@pytest.fixture
def dataset(calm, tmp_path) -> Path:
    """A copy of RealSR's, to be spoilt."""
    return Path(shutil.copytree(calm["realsr"], tmp_path / "dataset"))


# The same bytes, whatever happens.


@pytest.mark.parametrize("recipe", RECIPES)
def test_workers_and_reruns_change_nothing(world, calm, tmp_path, recipe):
    before = contents(calm[recipe])
    for workers in (2, 4):
        degrade(world, recipe, tmp_path / f"{workers}", "-j", workers)
        assert contents(tmp_path / f"{workers}") == before
    again = degrade(world, recipe, tmp_path / "2", "-j", 1)
    assert f"{IMAGES} pairs ({IMAGES} from an earlier run)" in again.stdout
    assert contents(tmp_path / "2") == before
    degrade(world, recipe, tmp_path / "4", "-j", 1, "--overwrite")
    assert contents(tmp_path / "4") == before


@pytest.mark.parametrize("recipe", RECIPES)
def test_other_inputs_change_nothing(world, calm, tmp_path, recipe):
    """Half of the images gone, others added in front and between, resumed after more have come."""
    shutil.copytree(world / "hr", tmp_path / "hr")
    for i in range(0, IMAGES, 2):
        next((tmp_path / "hr").rglob(f"{i}.png")).unlink()
    for name in ("0first", "a/7between", "c/last"):
        write_image(tmp_path / "hr" / f"{name}.png", noise(99, 80, 80))
    args = ("-o", tmp_path / "out", *options(world, recipe), "-j", 2)
    run("degrade", tmp_path / "hr", *args, "--limit", 5)
    shutil.copy(world / "hr" / "b" / "0.png", tmp_path / "hr" / "b" / "0.png")
    run("degrade", tmp_path / "hr", *args)
    whole, some = contents(calm[recipe]), contents(tmp_path / "out")
    common = [name for name in some if name in whole and name.endswith(".png")]
    assert len(common) == 2 * (IMAGES // 2 + 1)
    assert all(some[name] == whole[name] for name in common)
    plans = {row["key"]: row["plan"] for row in manifest(calm[recipe])}
    new = [row["key"] for row in manifest(tmp_path / "out") if plans.get(row["key"]) != row["plan"]]
    assert new == ["0first", "a/7between", "c/last"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_killed_twice_and_resumed(world, tmp_path, recipe):
    """`kill -9` on a job of one worker and on one of two; what is left in the end is what a calm one leaves."""
    calm, out = tmp_path / "calm", tmp_path / "out"
    degrade(world, recipe, calm, *LONG, "-j", 1)
    for workers, made in ((1, 1), (2, 2 * IMAGES)):
        args = ["degrade", world / "hr", "-o", out, *options(world, recipe), *LONG, "-j", workers]
        process = programs.start("realdeg", *args)
        until(lambda count=made: len(list(out.glob("LR/*/*.png"))) >= count)
        assert process.poll() is None
        orphans = children(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not (out / "manifest.csv").exists()
        until(lambda pids=orphans: not any(alive(pid) for pid in pids))
    assert degrade(world, recipe, out, *LONG, "-j", 2).stderr == ""
    assert contents(out) == contents(calm)


def test_a_killed_worker_costs_nothing(world, tmp_path):
    calm, out = tmp_path / "calm", tmp_path / "out"
    degrade(world, "realesrgan", calm, *LONG, "-j", 1)
    args = ["degrade", world / "hr", "-o", out, *options(world, "realesrgan"), *LONG, "-j", 2]
    process = programs.start("realdeg", *args)
    until(lambda: list(out.glob("LR/*/*.png")))
    workers = [pid for pid in children(process.pid) if b"popen_loky" in cmdline(pid)]
    os.kill(workers[0], signal.SIGKILL)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 0, told
    # What the worker had half written stays until the next run sweeps it up (realdeg/jobs.py).
    made = {name: data for name, data in contents(out).items() if TEMPORARY not in name}
    assert made == contents(calm)
    degrade(world, "realesrgan", out, *LONG, "-j", 1)
    assert contents(out) == contents(calm)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def alive(pid: int) -> bool:
    return bool(cmdline(pid))  # of a zombie it is empty


def until(true, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


# What is refused, and leaves all as it was.


def test_a_dataset_is_resumed_with_its_own_settings_only(world, dataset, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(world / "noise", other / "noise")
    write_image(other / "noise" / "patch_003.png", noise(7, 20, 20) // 16 + 120)
    np.savez(other / "kernels.npz", k=gaussian(13, 1.6))
    (other / "realsr.toml").write_text(
        run("recipes", "realsr").stdout.replace('"inject"', '"inject"\namount = 2')
    )
    before = state(dataset)
    for what, change in {
        "recipe was realsr ": ["--recipe", other / "realsr.toml"],
        "kernel_pool was ": ["--kernel-pool", other / "kernels.npz"],
        "noise_pool was ": ["--noise-pool", other / "noise"],
        "seed was 3, is 4": ["--seed", 4],
        "draws was 1, is 2": ["--draws", 2],
        "alpha was white, is black": ["--alpha", "black"],
    }.items():
        args = ("degrade", world / "hr", "-o", dataset, *options(world, "realsr"), *change)
        refused(
            f"{dataset}: was made with other settings ({what}",
            "use another folder, or --overwrite",
            ok=1,
            args=args,
        )
        assert state(dataset) == before
    args = ("degrade", world / "hr", "-o", dataset, "--scale", 4, "--seed", 3, "-q")
    refused("recipe was realsr ", "is bicubic ", "kernel_pool was", "noise_pool was", ok=1, args=args)
    assert state(dataset) == before


def test_the_same_kernels_under_other_names_are_another_pool(world, tmp_path):
    """Plans name kernels: one manifest with names of two pools could not be replayed."""
    for name in ("a", "b"):
        np.savez(tmp_path / f"{name}.npz", gaussian(13, 1.5), gaussian(13, 2.5))
    args = ["degrade", world / "hr", "-o", tmp_path / "out", "--scale", 4, "-q", "--limit", 2]
    run(*args, "--kernel-pool", tmp_path / "a.npz")
    refused("kernel_pool was", ok=1, args=(*args, "--kernel-pool", tmp_path / "b.npz"))


# Disks.


def no_file_above(size: int):
    """A limit for a process that stands for a disk without room."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def test_a_full_disk_is_one_line_an_image_and_is_gone_on_from(world, calm, tmp_path):
    """HR that is cut has no room, HR that is linked needs none."""
    out = tmp_path / "out"
    done = degrade(world, "realsr", out, "-j", 1, ok=1, before=no_file_above(40_000))
    rows = manifest(out)
    failed = [row for row in rows if row["status"] == "failed"]
    assert 0 < len(failed) < len(rows) == IMAGES
    assert len(lines(done)) == len(failed)
    for line, row in zip(lines(done), failed, strict=True):
        assert (
            line
            == row["reason"]
            == f"{out}/HR/{row['key']}.png: cannot be written (File too large); choose another output"
        )
    assert not list(out.rglob(".*"))
    assert f"{IMAGES} pairs ({IMAGES - len(failed)} from" in degrade(world, "realsr", out, "-j", 1).stdout
    assert contents(out) == contents(calm["realsr"])


def test_a_disk_without_room_for_the_journal_is_one_line(world, calm, tmp_path):
    """What was journalled before is not done again."""
    out = tmp_path / "out"
    done = degrade(world, "realesrgan", out, "-j", 1, ok=1, before=no_file_above(12_000))
    *images, line = lines(done)
    assert all("cannot be written (File too large)" in one for one in images)
    assert f"{out}/ledger.jsonl: cannot be written (File too large); free some space" in line
    degrade(world, "realesrgan", out, "-j", 1)
    assert contents(out) == contents(calm["realesrgan"])


def mortal() -> None:
    """Root without the right to write and read what is not allowed; nothing changes for others."""
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def test_folders_that_cannot_be_written_or_read(world, tmp_path):
    locked, half = tmp_path / "locked", tmp_path / "half"
    (half / "LR").mkdir(parents=True)
    locked.mkdir()
    for folder in (locked, half / "LR"):
        folder.chmod(0o555)
    done = degrade(world, "realsr", locked, ok=1, before=mortal)
    assert lines(done) == [
        f"error: {locked}: cannot be written (Permission denied); choose another output folder"
    ]
    done = degrade(world, "realsr", locked / "new", ok=1, before=mortal)
    assert lines(done) == [
        f"error: {locked}/new: cannot be made (Permission denied); choose another output folder"
    ]
    done = degrade(world, "realsr", half, "--limit", 2, ok=1, before=mortal)
    assert len(lines(done)) == 2
    assert all("/half/LR" in line and "cannot be written (Permission denied)" in line for line in lines(done))
    write_image(tmp_path / "hr" / "secret.png", noise(0, 16, 16))
    write_image(tmp_path / "hr" / "plain.png", noise(1, 16, 16))
    (tmp_path / "hr" / "secret.png").chmod(0)
    args = ("degrade", tmp_path / "hr", "-o", tmp_path / "out", "--scale", 4, "-q")
    (line,) = lines(run(*args, ok=1, before=mortal))
    assert "secret.png: cannot be read (Permission denied)" in line
    assert [row["status"] for row in manifest(tmp_path / "out")] == ["ok", "failed"]


# Replay.


@pytest.mark.parametrize("recipe", RECIPES)
def test_replay_is_equal_to_the_byte(calm, tmp_path, recipe):
    """On two workers; by the folder, or by its manifest; LR files too, where they are written."""
    done = run("replay", calm[recipe], "-q", "-j", 2)
    assert f"equal to the byte: {IMAGES} of {IMAGES} compared" in done.stdout
    before = state(calm[recipe])
    run("replay", calm[recipe] / "manifest.csv", "-o", tmp_path / "again", "-q", "-j", 1)
    assert state(calm[recipe]) == before
    made = {name: data for name, data in contents(calm[recipe]).items() if name.startswith("LR/")}
    assert contents(tmp_path / "again") == made
    told = json.loads(run("replay", calm[recipe], "--json", "--limit", 3).stdout)
    assert (told["ok"], told["equal to the byte"]) == (3, "3 of 3 compared")


def test_replay_needs_hr_the_manifest_and_the_pools_alone(dataset, tmp_path):
    """Kernels are in the dataset; LR may be gone."""
    before = contents(dataset)
    shutil.rmtree(dataset / "LR")
    for name in ("metadata.csv", "ledger.jsonl", "recipe.toml"):
        (dataset / name).unlink()
    run("replay", dataset, "-o", tmp_path / "again", "-q", "-j", 1)
    assert all(before[name] == data for name, data in contents(tmp_path / "again").items())
    assert len(contents(tmp_path / "again")) == IMAGES
    told = lines(run("replay", dataset, "-q", "-j", 1, "--limit", 2, ok=1))
    assert len(told) == 2
    assert all("is missing; give --out to make it again" in line for line in told)


def test_a_dataset_stands_alone(world, tmp_path, monkeypatch):
    """Made with pools named from where the user stood; moved, with the pools gone, it is replayed from elsewhere."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    for name in ("hr", "kernels", "noise"):
        shutil.copytree(world / name, here / name)
    pools = ("--kernel-pool", "kernels", "--noise-pool", "noise")
    words = ("degrade", "hr", "-o", "out", "--scale", 4, *pools, "--limit", 3, "-q", "-j", 1)
    run(*words, cwd=here)
    assert f"noise_pool: {here / 'noise'}" in (here / "out" / "run.yaml").read_text()
    stored = (here / "out" / "noise.npz").stat().st_mtime_ns
    run(*words, cwd=here)
    assert (here / "out" / "noise.npz").stat().st_mtime_ns == stored  # not written again
    shutil.move(here / "out", there / "moved")
    shutil.rmtree(here)
    assert "equal to the byte: 3 of 3" in run("replay", "moved", "-q", "-j", 1, cwd=there).stdout
    assert (
        "equal to the byte: 3 of 3"
        in run("replay", "manifest.csv", "-q", "-j", 1, cwd=there / "moved").stdout
    )


def test_a_noise_pool_too_large_to_be_stored_is_named_by_its_whole_path(world, tmp_path, monkeypatch):
    monkeypatch.setattr(stored_pools, "LARGEST", 1000)
    monkeypatch.chdir(world)
    settings = DegradeSettings(4, Path("kernels"), Path("noise"))
    degrade_folder(Path("hr"), tmp_path / "out", settings, running=Running(limit=3))
    assert not (tmp_path / "out" / "noise.npz").exists()
    monkeypatch.chdir(tmp_path)
    assert [record.detail["equal"] for record in replay(Path("out")).records] == [True] * 3


def test_a_stored_noise_pool_that_was_changed_is_refused(dataset):
    pool = NoisePool.read(dataset / "noise.npz")
    NoisePool(pool.names, tuple(255 - patch for patch in pool.patches)).save(dataset / "noise.npz")
    told = lines(run("replay", dataset, "-q", "-j", 1, "--limit", 2, ok=1))
    assert len(told) == 2
    assert all("noise patch of this name has other content" in line for line in told)


def test_replay_says_which_image_is_not_what_it_was(dataset):
    """HR changed, HR of another size, LR changed, LR of another depth; the others are compared."""
    rows = manifest(dataset)
    write_image(dataset / rows[0]["hr"], noise(77, *cv2.imread(str(dataset / rows[0]["hr"])).shape[:2]))
    write_image(dataset / rows[1]["hr"], noise(77, 80, 80))
    lr = [cv2.imread(str(dataset / row["lr"])) for row in rows]
    lr[2][3, 4] ^= 128
    cv2.imwrite(str(dataset / rows[2]["lr"]), lr[2])
    cv2.imwrite(str(dataset / rows[3]["lr"]), lr[3].astype(np.uint16) * 257)
    (dataset / rows[4]["hr"]).unlink()
    (dataset / rows[5]["lr"]).write_bytes((dataset / rows[5]["lr"]).read_bytes()[:99])
    done = run("replay", dataset, "-q", "-j", 1, ok=1)
    words = (
        *("LR made again differs by up to", "HR: is 80x80 px, but the plan was drawn for HR of "),
        *("LR made again differs by up to 128 levels", "LR in the dataset has another size or depth"),
        *("does not exist", "is cut short or damaged"),
    )
    assert len(lines(done)) == len(words)
    for line, row, word in zip(lines(done), rows, words, strict=False):
        assert row["key"] in line
        assert word in line
    assert f"equal to the byte: {IMAGES - 6} of" in done.stdout


def test_replay_reads_plans_from_before_there_was_a_header(dataset):
    rewrite(dataset, lambda row: row.update(plan=json.dumps(json.loads(row["plan"])["steps"])))
    assert f"equal to the byte: {IMAGES} of {IMAGES}" in run("replay", dataset, "-j", 1).stdout
    run("report", dataset, "-q", "--limit", 1)
    assert "damaged" not in (dataset / "report" / "index.html").read_text(encoding="utf-8")


def test_replay_of_a_damaged_plan(dataset):
    def damage(row):
        damaged = damages.pop(0) if damages else None
        if damaged is not None:
            row["plan"] = damaged(json.loads(row["plan"]))

    whole = [
        lambda raw: json.dumps(raw)[:-9],
        lambda raw: json.dumps([{**raw["steps"][0], "op": "redcue"}]),
        lambda raw: json.dumps([{"op": ["blur"]}]),
        lambda raw: json.dumps({"op": "blur"}),
        lambda raw: json.dumps([{"op": "reduce", "factor": 4}]),
        lambda raw: json.dumps([{**raw["steps"][0], "factor": 0}]),
        lambda raw: json.dumps([{"op": "blur", "kind": 3}]),
        lambda raw: json.dumps(
            [{"op": "noise", "law": "poisson", "channels": "grey", "photons": 0, "key": "1"}]
        ),
        lambda raw: json.dumps([{"op": "resize", "method": "bicubicc", "size": [30, 40]}]),
        lambda raw: json.dumps([{**raw["steps"][0], "border": "round"}]),
        lambda raw: json.dumps([{**raw["steps"][0], "kernel": "none"}]),
        lambda raw: json.dumps([*raw["steps"][:-1], {**raw["steps"][-1], "noise_y": -5}]),
        lambda raw: json.dumps([]),
        lambda raw: json.dumps({**raw, "scale": 8}),
        lambda raw: json.dumps({**raw, "version": 2}),
        lambda raw: json.dumps({**raw, "hr_size": [n + raw["scale"] for n in raw["hr_size"]]}),
        lambda raw: json.dumps({**raw, "steps": raw["steps"][:1] * 2}),
    ]
    damages = list(whole)
    rewrite(dataset, damage)
    done = run("replay", dataset, "-q", "-j", 1, ok=1)
    assert len(lines(done)) == len(whole)
    for line, row in zip(lines(done), manifest(dataset), strict=False):
        assert row["key"] in line
    assert f"equal to the byte: {IMAGES - len(whole)} of" in done.stdout


def test_replay_with_other_pools_or_none(world, dataset, tmp_path):
    np.savez(tmp_path / "k.npz", k=gaussian(9, 1.0))
    shutil.copytree(world / "noise", tmp_path / "noise")
    write_image(tmp_path / "noise" / "patch_001.png", noise(5, 50, 50) // 16 + 120)
    rows = manifest(dataset)
    told = lines(run("replay", dataset, "-q", "-j", 1, "--kernel-pool", tmp_path / "k.npz", ok=1))
    assert len(told) == IMAGES
    assert all(
        line.removeprefix("failed: ").startswith(f"{row['key']}: {row['kernel']}: kernel is not in the pool")
        for line, row in zip(told, rows, strict=True)
    )
    told = lines(run("replay", dataset, "-q", "-j", 1, "--noise-pool", tmp_path / "noise", ok=1))
    assert len(told) == sum(row["noise"] == "patch_001" for row in rows) > 0
    assert all("noise patch of this name has other content" in line for line in told)
    args = ("replay", dataset, "-q")
    refused(tmp_path / "none", "does not exist", ok=1, args=(*args, "--noise-pool", tmp_path / "none"))
    refused(
        "is a pool of kernels, not of noises", ok=1, args=(*args, "--noise-pool", dataset / "kernels.npz")
    )
    (dataset / "noise.npz").unlink()  # as where it was too large, or in a dataset of an earlier version
    text = (dataset / "run.yaml").read_text()
    assert str(world / "noise") in text
    (dataset / "run.yaml").write_text(text.replace(str(world / "noise"), "elsewhere/noise"))
    refused(dataset, "its noise pool elsewhere/noise is not there; give --noise-pool", ok=1, args=args)
    (dataset / "run.yaml").unlink()
    refused(dataset, "its noise pool is not known; give --noise-pool", ok=1, args=args)
    run(*args, "--noise-pool", world / "noise", "-j", 1)
    (dataset / "kernels.npz").unlink()
    refused("kernels.npz: does not exist", ok=1, args=(*args, "--noise-pool", world / "noise"))


def test_replay_replaces_no_dataset(calm, dataset, tmp_path):
    before = state(dataset)
    for source in (dataset, calm["realesrgan"]):
        words = (dataset, "is a dataset, and its LR images would be replaced")
        refused(*words, ok=1, args=("replay", source, "-o", dataset, "-q"))
    assert state(dataset) == before
    refused("is not a dataset: it has no manifest.csv", ok=1, args=("replay", tmp_path))
    rewrite(dataset, lambda row: row.update(plan=""))
    refused(dataset, "has no pair with a plan", ok=1, args=("replay", dataset))


# Recipes.


def test_recipes_are_listed_and_printed_as_files(world, calm, tmp_path):
    listed = run("recipes").stdout.splitlines()
    assert [line.split()[0] for line in listed] == list(PRESETS)
    assert set(json.loads(run("recipes", "--json").stdout)) == set(PRESETS)
    (tmp_path / "mine.toml").write_text(run("recipes", "realesrgan", "--scale", 2).stdout)
    told = json.loads(run("recipes", tmp_path / "mine.toml", "--json").stdout)
    assert told["sha"] == json.loads(run("recipes", "realesrgan", "--json").stdout)["sha"]
    degrade(world, tmp_path / "mine.toml", tmp_path / "out", "-j", 1, "--limit", 4)
    made, before = contents(tmp_path / "out"), contents(calm["realesrgan"])
    assert sum(name.startswith("LR/") for name in made) == 4
    assert all(made[name] == before[name] for name in made if name.startswith("LR/"))


TYPOS = {
    "stepz = []": ("unknown key 'stepz'", "did you mean 'steps'?"),
    '[[steps]]\nop = "reize"': ("steps[0].op: 'reize' is unknown", "did you mean 'resize'?"),
    '[[steps]]\nop = "resize"\nmetod = "area"': (
        "steps[0] (resize): unknown setting 'metod'",
        "did you mean 'method'?",
    ),
    '[[steps]]\nop = "resize"\nmethod = "bicubc"': (
        "steps[0] (resize).method: 'bicubc' is unknown",
        "'bicubic'",
    ),
    '[[steps]]\nop = "blur"\nsigma = [3, 1]': ("sigma: range [3, 1] ends before it begins",),
    '[[steps]]\nop = "blur"\nsigma = "t * 2"': ("sigma: 't': only numbers, s",),
    '[[steps]]\nop = "codec"\nquality = 101': ("quality: from 101 to 101", "at most 100"),
    '[[steps]]\nop = "blur"\nsize = { odd = [8, 8] }': ("size: no odd number in [8, 8]",),
    '[[steps]]\nuse = "blurr"\n[define]\nblur = []': ("'blurr' is not defined; did you mean 'blur'?",),
    '[[steps]]\nop = "blur"\nop = "blur"': ("is not TOML",),
    "": ("steps: a list of operations is meant",),
}


def test_a_recipe_with_a_typo_is_one_line(world, tmp_path):
    path = tmp_path / "mine.toml"
    for text, words in TYPOS.items():
        path.write_text(text)
        refused("mine", *words, ok=2, args=("recipes", path))
    path.write_text(next(iter(TYPOS)))
    args = ("degrade", world / "hr", "--scale", 4, "--recipe", path, "-o", tmp_path / "out")
    for command in (args, (*args, "--dry-run")):
        refused(f"error: {path}: unknown key 'stepz'; did you mean 'steps'?", ok=2, args=command)
    (line,) = lines(run("recipes", path, ok=2))
    assert line == f"error: {path}: unknown key 'stepz'; did you mean 'steps'?"
    assert not (tmp_path / "out").exists()


def test_recipes_that_are_none_or_do_not_fit(world, tmp_path):
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    (tmp_path / "blur.toml").write_text('[[steps]]\nop = "blur"')
    args = ("degrade", world / "hr", "--scale", 4, "-o", tmp_path / "out", "-q")
    for recipe, *words in (
        ("realesrgn", "is no preset and no file", "did you mean 'realesrgan'?"),
        (tmp_path / "none.toml", "is no preset and no file"),
        (tmp_path, "is no camera's folder: it has no camera.toml; give a preset"),
        (tmp_path / "latin.toml", "is not text in UTF-8"),
        ("realsr", "the recipe draws from a kernel pool; give --kernel-pool"),
        ("bicubic_noise", "the recipe draws from a noise pool; give --noise-pool"),
    ):
        refused(recipe, *words, ok=2, args=(*args, "--recipe", recipe))
    pool = world / "kernels"
    refused(
        pool,
        "is not drawn from by the recipe samsung",
        ok=2,
        args=(*args, "--recipe", "samsung", "--kernel-pool", pool),
    )
    assert not (tmp_path / "out").exists()
    told = lines(run(*args, "--recipe", tmp_path / "blur.toml", "--limit", 2, "-j", 1, ok=1))
    assert len(told) == 2
    assert all(f"{world}/hr/" in line and ".png: blur: its last step gives" in line for line in told)


# Pools.


def test_kernels_go_round_through_every_form(world, tmp_path):
    """Equal kernels have equal hashes in .npz and .mat; KernelGAN's folder has them moved to its own place."""
    sha = json.loads(run("pool", world / "kernels", "--kind", "kernel", "--json").stdout)["sha"]
    source: Path = world / "kernels"
    for out in (tmp_path / "k.npz", tmp_path / "k.mat", tmp_path / "again.npz"):
        run("pool", source, "--kind", "kernel", "-o", out)
        assert json.loads(run("pool", out, "--kind", "kernel", "--json").stdout)["sha"] == sha
        source = out
    run("pool", tmp_path / "k.npz", "--kind", "kernel", "-o", tmp_path / "gan", "--scale", 4)
    names = [path.relative_to(tmp_path / "gan").as_posix() for path in every(tmp_path / "gan")]
    assert names == ["one/one_kernel_x4.mat", "two/two_kernel_x4.mat"]
    for name in names:
        kernel = loadmat(tmp_path / "gan" / name)["Kernel"]
        at = np.indices(kernel.shape).reshape(2, -1) @ kernel.ravel()
        assert kernel.shape[0] % 2 == 1
        np.testing.assert_allclose(at, kernel.shape[0] // 2 + 1.5, atol=1e-3)
    for pool in ("k.npz", "gan"):
        args = ("--scale", 4, "--kernel-pool", tmp_path / pool, "-q", "--limit", 6, "-j", 1)
        run("degrade", world / "hr", "-o", tmp_path / f"of {pool}", *args)
    for path in every(tmp_path / "of k.npz" / "LR"):
        one, other = (
            cv2.imread(str(tmp_path / f"of {pool}" / "LR" / path.parent.name / path.name))
            for pool in ("k.npz", "gan")
        )
        assert np.abs(one.astype(int) - other).max() <= 1


def test_noise_goes_round_as_pictures_and_as_a_file(world, tmp_path):
    told = [json.loads(run("pool", world / "noise", "--kind", "noise", "--json").stdout)]
    source: Path = world / "noise"
    for out in (tmp_path / "n.npz", tmp_path / "pictures", tmp_path / "again.npz"):
        run("pool", source, "--kind", "noise", "-o", out)
        told.append(json.loads(run("pool", out, "--kind", "noise", "--json").stdout))
        source = out
    assert len({one["sha"] for one in told}) == 1
    assert [entry["name"] for entry in told[-1]["entries"]] == ["patch_000", "patch_001", "patch_002"]
    assert (tmp_path / "n.npz").read_bytes() == (tmp_path / "again.npz").read_bytes()
    write_image(tmp_path / "shots" / "x_real.png", noise(0, 30, 30))
    write_image(tmp_path / "shots" / "x_mean.png", noise(1, 30, 30))
    ends = ("--noisy-suffix", "_real", "--clean-suffix", "_mean")
    run("pool", tmp_path / "shots", "--kind", "noise", *ends, "-o", tmp_path / "differences.npz")
    (entry,) = json.loads(run("pool", tmp_path / "differences.npz", "--kind", "noise", "--json").stdout)[
        "entries"
    ]
    expected = (noise(0, 30, 30).astype(float) - noise(1, 30, 30)).std((0, 1))
    assert float(entry["sigma"]) == pytest.approx(np.sqrt(np.mean(expected**2)), abs=0.01)
    refused(
        "residuals are no pictures",
        ok=1,
        args=("pool", tmp_path / "differences.npz", "--kind", "noise", "-o", tmp_path / "p"),
    )


def with_header(path: Path, *arrays: np.ndarray, **header: object) -> None:
    content = {f"a{i:06d}": array for i, array in enumerate(arrays)}
    np.savez(path, realdeg_pool=np.array(json.dumps(header)), **content)


K, PATCH = gaussian(9, 1.2), noise(0, 8, 8)
ZIPPED = ("way_out", "twice", "other", "lead", "about", "empty")
BAD_KERNELS = {
    "nan": (lambda p: np.save(p, np.full((5, 5), np.nan)), "not finite"),
    "infinite": (lambda p: np.save(p, np.full((5, 5), np.inf)), "not finite"),
    "sum": (lambda p: np.save(p, np.ones((5, 5))), "sum is 25, not 1"),
    "zero": (lambda p: np.save(p, np.zeros((5, 5))), "sum is 0, not 1"),
    "nothing": (lambda p: np.save(p, np.zeros((0, 5))), "holds no kernel"),
    "line": (lambda p: np.save(p, np.ones(5) / 5), "holds no kernel"),
    "complex": (lambda p: np.save(p, K.astype(complex)), "holds no kernel"),
    "words": (lambda p: np.save(p, np.array(["a"])), "holds no kernel"),
    "objects": (
        lambda p: np.save(p, np.array([{1: 2}], object)),
        "cannot be read as a pool (no array of numbers)",
    ),
    "empty": (lambda p: p.write_bytes(b""), "cannot be read as a pool"),
    "text": (lambda p: p.write_text("0.1 0.8 0.1"), "cannot be read as a pool"),
    "way_out": (lambda p: np.savez(p, **{"../../k": K, "b": K}), "an array named 'way_out/../../k'"),
    "twice": (
        lambda p: with_header(p, K, K.T, kind="kernel", names=["a", "a"]),
        "its header lists other arrays",
    ),
    "other": (
        lambda p: with_header(p, PATCH, kind="noise", names=["a"]),
        "is a pool of noises, not of kernels",
    ),
    "lead": (lambda p: with_header(p, K, kind="kernel", names=["../a"]), "names that lead out of it"),
    "about": (lambda p: with_header(p, K, kind="kernel", names=["a"], about=[1]), "its header is damaged"),
}
BAD_NOISE = {
    "nan": (lambda p: np.save(p, np.full((2, 8, 8, 3), np.nan)), "not finite"),
    "levels": (lambda p: np.save(p, np.full((2, 8, 8, 3), 120.0)), "floats beyond 1"),
    "whole": (
        lambda p: np.save(p, PATCH[None].astype(np.int64)),
        "holds int64; pixel values are uint8 or uint16",
    ),
    "grey": (lambda p: np.save(p, PATCH[..., 0]), "holds no noise patches"),
    "empty": (lambda p: p.write_bytes(b""), "cannot be read as a pool"),
    "other": (lambda p: with_header(p, K, kind="kernel", names=["a"]), "is a pool of kernels, not of noises"),
    "way_out": (lambda p: np.savez(p, **{"../../k": PATCH, "b": PATCH}), "an array named 'way_out/../../k'"),
}


@pytest.mark.parametrize(("kind", "bad"), [("kernel", BAD_KERNELS), ("noise", BAD_NOISE)])
def test_broken_pools_are_one_line(tmp_path, kind, bad):
    for name, (write, words) in bad.items():
        path = tmp_path / f"{name}{'.npz' if name in ZIPPED else '.npy'}"
        write(path)
        out = tmp_path / "out" / "deep" / "pool"
        refused(f"error: {path}: ", words, ok=1, args=("pool", path, "--kind", kind, "-o", out))
    assert not (tmp_path / "out").exists()
    (line,) = lines(run("pool", tmp_path / "nan.npy", "--kind", kind, ok=1))
    assert line.startswith(f"error: {tmp_path}/nan.npy: ")
    refused(tmp_path / "none", "does not exist", ok=1, args=("pool", tmp_path / "none", "--kind", kind))


def test_pools_that_hold_nothing_for_this_job(world, tmp_path):
    (tmp_path / "empty").mkdir()
    refused("holds no kernel; give", ok=1, args=("pool", tmp_path / "empty", "--kind", "kernel"))
    refused("holds no noise patch; give", ok=1, args=("pool", tmp_path / "empty", "--kind", "noise"))
    args = ("pool", world / "kernels", "--kind", "kernel")
    refused("holds no kernel for x3, only for x2, x4", ok=1, args=(*args, "--scale", 3))
    refused("pools are not written as .txt", ok=1, args=(*args, "-o", tmp_path / "k.txt"))
    refused("give --noisy-suffix and --clean-suffix", ok=2, args=(*args, "--noisy-suffix", "_real"))
    shutil.copytree(world / "noise", tmp_path / "noise")
    (tmp_path / "noise" / "patch_001.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    refused("patch_001.png: is cut short", ok=1, args=("pool", tmp_path / "noise", "--kind", "noise"))


def test_a_kernel_need_not_be_square(world, tmp_path):
    """Nor odd: its centre of mass says where it lies."""
    np.savez(
        tmp_path / "k.npz",
        flat=np.full((3, 8), 1 / 24),
        even=gaussian(9, 1.2)[:, :8] / gaussian(9, 1.2)[:, :8].sum(),
    )
    assert "2 kernels" in run("pool", tmp_path / "k.npz", "--kind", "kernel").stdout
    args = ("--scale", 4, "--kernel-pool", tmp_path / "k.npz", "-o", tmp_path / "out", "-q", "--limit", 6)
    assert "6 pairs" in run("degrade", world / "hr", *args, "-j", 1).stdout

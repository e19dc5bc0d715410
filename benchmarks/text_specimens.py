"""Small valid specimens of all texts and arrays that realdeg and its trainings read back, and their readers.

A specimen is a file in a folder that commands have made, and what reads it: a command, in process, or a
function where a command would take too long.
"""

# ruff: noqa: E501  (tables: a specimen a line)
from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

TINY = {
    "preset": "tiny", "width": 8, "groups": 1, "blocks": 1, "fusion_width": 8, "patch": 12, "batch": 2,
    "steps": 4, "learning_rate": 1e-3, "check_every": 2, "save_every": 2, "log_every": 2, "diagnose_every": 2,
    "device": "cpu", "precision": "fp32", "tensorboard": "off",
}  # fmt: skip
RECIPE = """
name = "all"
colour = "gamma"
border = "symmetric"
[hr]
cleanup = 1
[define]
soften = [{ op = "blur", kind = "isotropic", size = { odd = [7, 9] }, sigma = [0.2, 3] }]
[[steps]]
use = "soften"
chance = 0.8
[[steps]]
op = "shuffle"
steps = [
  { op = "noise", law = { gaussian = 0.5, poisson = 0.5 }, sigma = [1, 10], photons = { log10 = [2, 4] } },
  { op = "codec", format = "jpeg", quality = { integers = [60, 95] } },
]
[[steps]]
op = "one_of"
branches = [[{ op = "sharpen", weight = 0.5, radius = 9, threshold = 10 }], [{ op = "clip" }]]
weights = [1, 2]
[[steps]]
op = "resize"
"""
CERTIFICATE = {
    "recipe": "realdeg 1", "scale": 2, "lr": {"path": "LR.png", "size_hw": [24, 32], "camera": "C", "iso": 100},
    "hr": {"path": "HR.png", "size_hw": [48, 64], "focal_mm": 35.0, "orientation": 1},
    "tiles": {"x": [1.0, 2.0], "y": [1.0, 2.0], "dx": [0.1, None], "dy": [0.0, 0.1], "sd": [0.1, 0.2],
              "state": ["ok", "weak"]},
    "blind": {"x": [1.0], "y": [2.0], "dx": [0.1], "dy": [0.1], "sd": [0.1], "state": ["ok"]},
    "error": {"lr_px": 0.02, "corner_lr_px": 0.03}, "brightness": {"method": "affine", "rms_8bit": 2.0,
    "adjusted": "hr", "vignetting": {"corner_gain": 1.1}}, "mask": {"valid": 0.9, "path": "MASK/p0.png"},
    "psf": {"sigma_major_lr_px": 1.0, "sigma_minor_lr_px": 0.8, "angle_deg": 30.0},
    "crop": {"lr_xywh": [0, 0, 24, 32]}, "versions": {"realdeg": "0.1.0"},
}  # fmt: skip


@dataclass(frozen=True)
class Specimen:
    """A file that is read back.

    Attributes:
        name: what it is and who reads it.
        kind: of `text_mutants.BY_KIND`.
        base: folder that is copied for each mutant.
        file: the one to damage, relative to it.
        read: reads it, given the copy.
    """

    name: str
    kind: str
    base: Path
    file: str
    read: Callable[[Path], object]


def command(*words: str | Path) -> object:
    """Run a command of realdeg in this process."""
    from realdeg.cli.main import cli

    return cli.main([str(word) for word in words], prog_name="realdeg", standalone_mode=False)


def program(name: str, *words: str | Path) -> object:
    """Run a program of `train` in this process."""
    import importlib

    main = importlib.import_module(f"train.{name}.command").main
    return main.main([str(word) for word in words], prog_name=name, standalone_mode=False)


def picture(seed: int, height: int, width: int) -> np.ndarray:
    """Soft shapes and some noise, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    image = cv2.resize(
        rng.random((6, 6, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    image += rng.normal(0, 0.02, image.shape).astype(np.float32)
    return np.clip(255 * image, 0, 255).astype(np.uint8)


def _photos(folder: Path, count: int, size: tuple[int, int] = (48, 64)) -> Path:
    folder.mkdir(parents=True)
    for i in range(count):
        cv2.imwrite(str(folder / f"p{i}.png"), picture(i, *size))
    return folder


def _pools(folder: Path) -> None:
    from realdeg.pools.kernel_pool import KernelPool
    from realdeg.pools.noise_pool import NoisePool

    folder.mkdir(parents=True)
    kernels = []
    for i in range(4):
        axis = np.arange(9) - 4.0
        one = np.exp(-(axis[:, None] ** 2 + axis**2) / (2 + i))
        kernels.append(one / one.sum())
    pool = KernelPool(tuple("abcd"), tuple(kernels), {"method": "made", "scale": 2})
    pool.save(folder / "kernels.npz")
    pool.save(folder / "kernels.mat")
    pool.save(folder / "kernelgan", 2)
    np.savez(folder / "plain.npz", one=kernels[0], two=kernels[1])
    np.save(folder / "stack.npy", np.stack(kernels))
    noise = tuple(np.clip(picture(9 + i, 64, 80) // 8 + 100, 0, 255).astype(np.uint8) for i in range(3))
    told = {name: {"level": [100.0, 101.0, 102.0]} for name in "xyz"}
    NoisePool(tuple("xyz"), noise, {"method": "made", "patches": told}).save(folder / "noise.npz")
    np.save(folder / "residuals.npy", np.stack(noise).astype(np.float32) / 2550)
    camera = folder / "camera"
    camera.mkdir()
    from realdeg.camera.camera import recipe_text

    (camera / "camera.toml").write_text(recipe_text("camera", 3, "", True, False))
    shutil.copy(folder / "kernels.npz", camera / "kernels.npz")
    shutil.copy(folder / "noise.npz", camera / "noise.npz")


def _dataset(folder: Path) -> None:
    """A split dataset with certificates and a mask of nothing."""
    from realdeg.records import PairRecord, with_files, write_manifest

    records = []
    for i in range(4):
        hr = picture(i, 48, 56)
        for side, image in (("HR", hr), ("LR", cv2.resize(hr, (28, 24), interpolation=cv2.INTER_AREA))):
            (folder / side).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / side / f"p{i}.png"), image)
        certificate = folder / "certificates" / f"p{i}.json"
        certificate.parent.mkdir(exist_ok=True)
        certificate.write_text(json.dumps(CERTIFICATE))
        split = ("train", "train", "val", "test")[i]
        detail = {"error_lr_px": 0.02, "zoom": 2.0, "valid": 1.0, "residual_lr_px": 0.03, "disagreeing": 0.01}
        record = PairRecord(
            f"p{i}",
            "ok",
            "",
            f"LR/p{i}.png",
            f"HR/p{i}.png",
            2,
            f"s{i}",
            split,
            "registration",
            detail=detail,
        )
        records.append(with_files(folder, record, f"certificates/p{i}.json"))
    write_manifest(folder, records)


def specimens(root: Path) -> Sequence[Specimen]:
    """Make all specimens below `root`, some ten seconds' work."""
    photos = _photos(root / "photos", 2)
    large = _photos(root / "large", 2, (160, 192))
    pools, made = root / "pools", root / "job"
    _pools(pools)
    data = root / "train" / "data"
    _dataset(data)
    degrade = [
        *("degrade", photos, "--scale", "2", "-j", "1", "--kernel-pool", pools / "kernels.npz"),
        *("--noise-pool", pools / "noise.npz", "--recipe", "realsr", "-q"),
    ]
    command(*degrade, "-o", made / "out")
    kernels, noise = root / "kernels job", root / "noise job"
    command(
        "kernels", large, "--scale", "2", "-o", kernels / "k.npz", "-j", "1", "-q", "--min-confidence", "0"
    )
    command(
        "noise",
        large,
        "-o",
        noise / "n.npz",
        "-j",
        "1",
        "-q",
        "--size",
        "32",
        "--energy",
        "1000",
        "--shape",
        "1000",
    )
    run = data.parent / "run"
    words = [part for name, value in TINY.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    program("d2c", "--data", data, "-o", run, "-q", *words)
    enlarged = root / "enlarged"
    program("upscale", photos, "--run", run, "-o", enlarged / "out", "--device", "cpu")
    program("evaluate", "--run", run, "--data", data, "--device", "cpu", "--lpips", "off")
    texts = root / "texts"
    texts.mkdir()
    (texts / "recipe.toml").write_text(RECIPE)
    (texts / "keys.txt").write_text("p0\np1\n")
    (texts / "pairs.csv").write_text("lr,hr,key,scale,scene\na.png,b.png,one,2,s\na.png,b.png,two,2,t\n")
    for name in ("a.png", "b.png"):
        shutil.copy(photos / "p0.png", texts / name)
    shutil.copy(made / "out" / "run.yaml", texts / "run.yaml")
    shutil.copy(run / "run.yaml", texts / "train.yaml")
    from realdeg.kernels import estimator

    shutil.copy(Path(estimator.__file__).parent / "weights" / "kernels_x2.npz", texts / "weights.npz")
    import torch

    torch.save({"lin0.model.1.weight": torch.ones(1, 64, 1, 1), "b": torch.ones(3)}, texts / "heads.pth")
    (texts / "sizes.json").write_text(
        json.dumps({"LR/p0.png": ["0" * 64, 10, 10], "HR/p0.png": ["1" * 64, 1, 1]})
    )
    return [
        *_of_job(made, degrade),
        *_of_dataset(data.parent),
        *_of_run(data.parent, run, words),
        *_of_pools(pools, photos, large),
        *_of_texts(texts, photos, large),
        Specimen(
            "journal of kernels", "jsonl", kernels, "k.job/ledger.jsonl",
            lambda at: command("kernels", large, "--scale", "2", "-o", at / "k.npz", "-j", "1", "-q", "--min-confidence", "0"),
        ),
        Specimen(
            "journal of noise", "jsonl", noise, "n.job/ledger.jsonl",
            lambda at: command("noise", large, "-o", at / "n.npz", "-j", "1", "-q", "--size", "32", "--energy", "1000", "--shape", "1000"),
        ),
        Specimen(
            "manifest of kernels, verified", "csv", kernels, "k.job/manifest.csv",
            lambda at: command("verify", at / "k.job", "-q"),
        ),
        Specimen(
            "journal of upscale", "jsonl", enlarged, f"out/{_journal_of_upscale()}",
            lambda at: program("upscale", photos, "--bicubic", "--scale", "2", "-o", at / "out"),
        ),
    ]  # fmt: skip


def _journal_of_upscale() -> str:
    from train.upscale.enlarged import JOURNAL

    return JOURNAL


def _of_job(made: Path, degrade: Sequence[str | Path]) -> list[Specimen]:
    again = lambda at: command(*degrade, "-o", at / "out")  # noqa: E731
    replay = lambda at: command("replay", at / "out", "-q")  # noqa: E731

    def repair(at: Path) -> object:
        (at / "out" / "LR" / "p0.png").write_bytes(b"other")
        return command("verify", at / "out", "--repair", "-q")

    return [
        Specimen("journal, resumed", "jsonl", made, "out/ledger.jsonl", again),
        Specimen("journal, verified", "jsonl", made, "out/ledger.jsonl", lambda at: command("verify", at / "out", "-q")),
        Specimen("journal, tiled", "jsonl", made, "out/ledger.jsonl", lambda at: command("export", at / "out", "--format", "basicsr", "-o", at / "e", "-q")),
        Specimen("manifest, resumed", "csv", made, "out/manifest.csv", again),
        Specimen("manifest, replayed", "csv", made, "out/manifest.csv", replay),
        Specimen("manifest, verified", "csv", made, "out/manifest.csv", lambda at: command("verify", at / "out", "-q")),
        Specimen("manifest, split", "csv", made, "out/manifest.csv", lambda at: command("split", at / "out", "--test", "0.5", "-q")),
        Specimen("manifest, tiled", "csv", made, "out/manifest.csv", lambda at: command("tile", at / "out", "-o", at / "t", "--size", "32", "-j", "1", "-q")),
        Specimen("manifest, reported", "csv", made, "out/manifest.csv", lambda at: command("report", at / "out", "-q")),
        Specimen("manifest, kernels of its pairs", "csv", made, "out/manifest.csv", lambda at: command("kernels", at / "out", "--from-pairs", "--scale", "2", "--size", "7", "-o", at / "k.npz", "-j", "1", "-q")),
        Specimen("manifest, degraded", "csv", made, "out/manifest.csv", lambda at: command("degrade", at / "out", "--scale", "2", "-o", at / "d", "-j", "1", "-q")),
        Specimen("stored kernels, replayed", "npz", made, "out/kernels.npz", replay),
        Specimen("stored noise, replayed", "npz", made, "out/noise.npz", replay),
        Specimen("stored noise, resumed", "npz", made, "out/noise.npz", again),
        Specimen("run.yaml, replayed", "yaml", made, "out/run.yaml", replay),
        Specimen("run.yaml, repaired", "yaml", made, "out/run.yaml", repair),
        Specimen("run.yaml, reported", "yaml", made, "out/run.yaml", lambda at: command("report", at / "out", "-q")),
    ]  # fmt: skip


def _of_dataset(base: Path) -> list[Specimen]:
    def learn(at: Path) -> object:
        from train.data.pairs import read_pairs, read_split

        return read_split(at / "data"), read_pairs(at / "data", "all")

    def remembered(at: Path) -> object:
        from realdeg.records import read_manifest
        from realdeg.vouching import unvouched

        return unvouched(at / "data", read_manifest(at / "data"))

    from realdeg.vouching import REMEMBERED

    return [
        Specimen("certificate, reported", "json", base, "data/certificates/p0.json", lambda at: command("report", at / "data", "-q")),
        Specimen("manifest of registered pairs, reported", "csv", base, "data/manifest.csv", lambda at: command("report", at / "data", "-q")),
        Specimen("manifest, learned from", "csv", base, "data/manifest.csv", learn),
        Specimen("remembered hashes", "json", base, f"data/{REMEMBERED}", remembered),
    ]  # fmt: skip


def _of_run(base: Path, run: Path, words: Sequence[str]) -> list[Specimen]:
    def resume(at: Path) -> object:
        return program("d2c", "--data", at / "data", "-o", at / "run", "-q", *words)

    def report(at: Path) -> object:
        return command("report", at / "data", "--run", at / "run", "-q")

    def load(at: Path) -> object:
        from train.restore.models import load

        return load(at / "run", device="cpu", say=lambda text: None)

    def load_file(at: Path) -> object:
        from train.restore.models import load

        return load(
            checkpoint=at / "run" / "checkpoints" / f"{last}.safetensors", device="cpu", say=lambda t: None
        )

    def alone(at: Path) -> object:
        (at / "run" / "checkpoints" / f"{last}.json").unlink()
        (at / "run" / "checkpoints" / f"{last}.state.pt").unlink()
        return load_file(at)

    def learned(at: Path) -> object:
        from train.data.learned import read_learned

        return read_learned(at / "run")

    last = max(path.stem for path in (run / "checkpoints").glob("*.json"))
    cached = [path for path in base.rglob("index.json")]
    found = [
        Specimen("run.yaml, resumed", "yaml", base, "run/run.yaml", resume),
        Specimen("run.yaml, reported with its run", "yaml", base, "run/run.yaml", report),
        Specimen("voucher of a checkpoint, resumed", "json", base, f"run/checkpoints/{last}.json", resume),
        Specimen("voucher of a checkpoint, loaded", "json", base, f"run/checkpoints/{last}.json", load),
        Specimen("voucher of a checkpoint, opened", "json", base, f"run/checkpoints/{last}.json", load_file),
        Specimen("checkpoint alone", "safetensors", base, f"run/checkpoints/{last}.safetensors", alone),
        Specimen("metrics.csv, resumed", "csv", base, "run/metrics.csv", resume),
        Specimen("metrics.csv, reported", "csv", base, "run/metrics.csv", report),
        Specimen("validation.csv, reported", "csv", base, "run/validation.csv", report),
        Specimen("table.csv, reported", "csv", base, "run/evaluation/table.csv", report),
        Specimen("summary.json, reported", "json", base, "run/evaluation/summary.json", report),
        Specimen("environment.json, resumed", "json", base, "run/environment.json", resume),
        Specimen("learned.npz, read", "npz", base, "run/learned.npz", learned),
        Specimen("learned.npz, resumed", "npz", base, "run/learned.npz", resume),
    ]  # fmt: skip
    for path in cached:
        found.append(Specimen("index of the cache", "json", base, path.relative_to(base).as_posix(), resume))
        array = next(iter(sorted(path.parent.glob("*.npy"))))
        found.append(Specimen("array of the cache", "npy", base, array.relative_to(base).as_posix(), resume))
        alike = path.parent / "alike.npz"
        if alike.exists():
            found.append(Specimen("thumbnails", "npz", base, alike.relative_to(base).as_posix(), resume))
    return found


def _of_pools(pools: Path, photos: Path, large: Path) -> list[Specimen]:
    def degrade(*words: str | Path) -> Callable[[Path], object]:
        def read(at: Path) -> object:
            found = [at / word if isinstance(word, Path) else word for word in words]
            return command("degrade", photos, "--scale", "2", "-o", at / "out", "-j", "1", "-q", *found)

        return read

    def show(*words: str | Path) -> Callable[[Path], object]:
        return lambda at: command("pool", *(at / w if isinstance(w, Path) else w for w in words), "-q")

    def page(name: str) -> Callable[[Path], object]:
        return lambda at: command("report", at / name, "-o", at / "page", "-q")

    kernelgan = next((pools / "kernelgan").rglob("*.mat")).relative_to(pools).as_posix()
    return [
        Specimen("kernel pool .npz", "npz", pools, "kernels.npz", degrade("--kernel-pool", Path("kernels.npz"))),
        Specimen("kernel pool .npz, shown", "npz", pools, "kernels.npz", show(Path("kernels.npz"), "--kind", "kernel")),
        Specimen("kernel pool .npz, reported", "npz", pools, "kernels.npz", page("kernels.npz")),
        Specimen("plain .npz of kernels", "npz", pools, "plain.npz", degrade("--kernel-pool", Path("plain.npz"))),
        Specimen("kernel pool .mat", "mat", pools, "kernels.mat", degrade("--kernel-pool", Path("kernels.mat"))),
        Specimen("kernel pool .mat, reported", "mat", pools, "kernels.mat", page("kernels.mat")),
        Specimen("KernelGAN's folder", "mat", pools, kernelgan, degrade("--kernel-pool", Path("kernelgan"))),
        Specimen("kernel pool .npy", "npy", pools, "stack.npy", degrade("--kernel-pool", Path("stack.npy"))),
        Specimen("noise pool .npz", "npz", pools, "noise.npz", degrade("--noise-pool", Path("noise.npz"), "--recipe", "bicubic_noise")),
        Specimen("noise pool .npz, shown", "npz", pools, "noise.npz", show(Path("noise.npz"), "--kind", "noise")),
        Specimen("noise pool .npz, reported", "npz", pools, "noise.npz", page("noise.npz")),
        Specimen("noise pool .npy", "npy", pools, "residuals.npy", degrade("--noise-pool", Path("residuals.npy"), "--recipe", "bicubic_noise")),
        Specimen("camera.toml", "toml", pools, "camera/camera.toml", degrade("--recipe", Path("camera"))),
        Specimen("kernels of a camera", "npz", pools, "camera/kernels.npz", degrade("--recipe", Path("camera"))),
        Specimen("noise of a camera", "npz", pools, "camera/noise.npz", degrade("--recipe", Path("camera"))),
    ]  # fmt: skip


def _of_texts(texts: Path, photos: Path, large: Path) -> list[Specimen]:
    def degrade(at: Path, *words: str | Path) -> object:
        return command("degrade", photos, "--scale", "2", "-o", at / "out", "-j", "1", "-q", *words)

    def pairs(at: Path) -> object:
        from realdeg.io.pairlist import read_pairs

        return read_pairs(at / "pairs.csv")

    def weights(at: Path) -> object:
        from realdeg.kernels.estimator import estimator

        estimator.cache_clear()
        return command("kernels", large, "--scale", "2", "--weights", at / "weights.npz", "-o", at / "k.npz", "-j", "1", "-q", "--limit", "1")  # fmt: skip

    def heads(at: Path) -> object:
        from train.restore.pretrained import weights

        return weights("lpips_alex", at / "heads.pth")

    def again(at: Path) -> object:
        return command(
            "degrade",
            "--config",
            at / "run.yaml",
            "-o",
            at / "out",
            "-j",
            "1",
            "-q",
            "--exit-zero",
            "--limit",
            "2",
        )

    return [
        Specimen("recipe", "toml", texts, "recipe.toml", lambda at: degrade(at, "--recipe", at / "recipe.toml")),
        Specimen("recipe, shown", "toml", texts, "recipe.toml", lambda at: command("recipes", at / "recipe.toml", "--scale", "2")),
        Specimen("keys", "text", texts, "keys.txt", lambda at: degrade(at, "--keys", at / "keys.txt")),
        Specimen("list of pairs", "csv", texts, "pairs.csv", pairs),
        Specimen("--config of a job", "yaml", texts, "run.yaml", again),
        Specimen("--config of a training", "yaml", texts, "train.yaml", lambda at: program("d2c", "--config", at / "train.yaml", "--show-settings")),
        Specimen("weights of the estimator", "npz", texts, "weights.npz", weights),
        Specimen("published weights", "torch", texts, "heads.pth", heads),
    ]  # fmt: skip

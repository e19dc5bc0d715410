"""The demo: the D2CRealSR pipeline and `realdeg degrade` at a small size, on the bundled photos.

realdeg run demo -o demo

Two handheld pairs are real. Their photos have one focal length, so the LR side of a pair is one photo
reduced by 2, the HR side the other. The remaining pairs are captures by a simulated camera
(`realdeg.imaging.capture`): two photos of a CC0 picture through different known homographies, with blur,
noise and exposure of their own. No pixel grid is shared; they have to be registered like real ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from pipelines.d2crealsr import Stages, d2crealsr
from realdeg.align.settings import AlignSettings
from realdeg.cli.common import FOLDER, Teller, cores
from realdeg.degrade.settings import DegradeSettings
from realdeg.errors import UserError
from realdeg.options import command, resolve
from realdeg.output import Output
from train.d2c.settings import PRESETS, D2CSettings

if TYPE_CHECKING:
    from train.evaluate.score_table import Table

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "sample"
HANDHELD = {"arches": ("JDW_0302.jpg", "JDW_0303.jpg"), "petra": ("DFM_4210_cut.jpg", "DFM_4211_cut.jpg")}
SCALE = 2
VIEWS = 4
RECIPE_DRAWS = 6
UNSEEN, UNSEEN_DRAWS = "chelsea.png", 3  # the one bundled picture that the shipped model was not trained on
STEPS = 1500
SEED = 0


def demo(
    out: Path,
    *,
    sample: Path = SAMPLE,
    steps: int = STEPS,
    workers: int = 1,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Run every step on the sample and say what was made.

    Args:
        out: receives captures/, pairs/, degraded/, realesrgan/, shipped/ and run/.
        sample: the bundled photos.
        steps: of the training.
        workers: processes of align and degrade.
        say: receives lines for the user.

    Returns:
        Figures by name, and the reports.
    """
    from realdeg.degrade.folder import degrade_folder
    from realdeg.degrade.replay import replay
    from realdeg.jobs import Running
    from realdeg.report.page import build_report

    if not sample.is_dir():
        raise UserError(sample, "the bundled photos are not here", "run the demo from a checkout")
    started = time.monotonic()

    def tell(text: str) -> None:
        say(f"[{time.monotonic() - started:5.0f} s] {text}")

    tell("two handheld pairs, and captures of four CC0 pictures by a simulated camera")
    lr, hr = write_captures(sample, out / "captures")

    tell("realdeg degrade: LR images of the clean pictures, blurred by a kernel pool")
    degraded = out / "degraded"
    settings = DegradeSettings(SCALE, kernel_pool=sample / "kernels" / "gaussians_x2.npz", seed=SEED)
    with Teller("images degraded") as teller:
        running = Running(workers=workers, on_progress=teller)
        degrade_folder(sample / "clean", degraded, settings, running=running).or_stop()

    tell("realdeg degrade --recipe realesrgan, realdeg replay: every LR again from the manifest, to the byte")
    recipe = out / "realesrgan"
    with Teller("images degraded") as teller:
        running = Running(workers=workers, on_progress=teller)
        settings = DegradeSettings(4, recipe="realesrgan", draws=RECIPE_DRAWS, seed=SEED)
        degrade_folder(sample / "clean", recipe, settings, running=running).or_stop()
    again = replay(recipe, running=Running(workers=workers))
    build_report(recipe, title="Real-ESRGAN's degradation, drawn")

    tell("realdeg evaluate --shipped: the model that comes with realdeg, on a picture it has not seen")
    shipped = _shipped(sample, out / "shipped", workers)

    tell("realdeg align, split, train d2c, evaluate, report")
    train = resolve(
        D2CSettings, PRESETS, preset="tiny", flags={"steps": steps, "seed": SEED, "extra": degraded}
    )
    table = d2crealsr(
        lr,
        hr,
        out,
        align=AlignSettings(scale=SCALE),
        train=train,
        test=1,
        group=r"(.+?)(?:_view\d+)?$",
        title="The realdeg demo",
        workers=workers,
        say=tell,
    )
    equal = sum(bool(record.detail.get("equal")) for record in again.records)
    replayed = f"{len(again.records)} pairs, {equal} made again to the byte"
    seconds = time.monotonic() - started
    return _closing(table, shipped, Stages.under(out), degraded, recipe, replayed, seconds, say)


def _shipped(sample: Path, out: Path, workers: int) -> Table:
    """Degrade a picture by the preset `mild`, enlarge it by the shipped model, and compare with bicubic."""
    from realdeg.degrade.folder import degrade_folder
    from realdeg.jobs import Running
    from train.evaluate.command import evaluate
    from train.restore.models import load

    clean, pairs = out / "clean", out / "pairs"
    _keep(clean / UNSEEN, partial(_pixels, sample / "clean" / UNSEEN))
    settings = DegradeSettings(4, recipe="mild", draws=UNSEEN_DRAWS, seed=SEED)
    degrade_folder(clean, pairs, settings, running=Running(workers=workers)).or_stop()
    return evaluate(None, pairs, split="all", model=load(), out=out / "evaluation")


def write_captures(sample: Path, out: Path) -> tuple[Path, Path]:
    """Write the photos to register: `out/lr` and `out/hr`; finished files are kept.

    Returns:
        The two folders.
    """
    import cv2

    from realdeg.io.find import find_images
    from realdeg.io.photo import read
    from realdeg.io.save import write_image

    lr, hr = out / "lr", out / "hr"
    for name, (wide, tele) in HANDHELD.items():
        photo = read(sample / "captures" / wide).pixels
        small = cv2.resize(photo, None, fx=1 / SCALE, fy=1 / SCALE, interpolation=cv2.INTER_AREA)
        _keep(lr / f"{name}.png", partial(np.asarray, small))
        _keep(hr / f"{name}.png", partial(_pixels, sample / "captures" / tele))
    for found in find_images(sample / "clean"):
        scene = read(found.path).pixels
        for view in range(VIEWS):
            name = f"{found.key}_view{view}"
            if not ((lr / f"{name}.png").is_file() and (hr / f"{name}.png").is_file()):
                small, large = simulate(scene, name)
                write_image(lr / f"{name}.png", small)
                write_image(hr / f"{name}.png", large)
    return lr, hr


def simulate(scene: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """An LR and an HR photo of a scene, (h, w, 3) uint8 each, from a camera held by hand."""
    from realdeg.align.homography import Homography
    from realdeg.imaging.capture import CameraModel, capture
    from realdeg.seeds import stream

    rng = stream(SEED, name, "capture")
    height, width = scene.shape[:2]

    def look(size_hw: tuple[int, int], pitch: float) -> np.ndarray:
        turn, half = np.radians(rng.uniform(-1.2, 1.2)), max(size_hw) / 2
        c, s = pitch * np.cos(turn), pitch * np.sin(turn)
        view = Homography(np.array([[c, -s, 0], [s, c, 0], [*rng.uniform(-0.004, 0.004, 2) / half, 1]]))
        middle = Homography.translation(-(size_hw[1] - 1) / 2, -(size_hw[0] - 1) / 2)
        shift = rng.uniform(-0.01, 0.01, 2) * [width, height]
        place = Homography.translation((width - 1) / 2 + shift[0], (height - 1) / 2 + shift[1])
        return (place @ view @ middle).matrix

    hr_hw = int(0.94 * height), int(0.94 * width)
    lr_hw = int(0.96 * height / SCALE), int(0.96 * width / SCALE)
    hr_camera = CameraModel(hr_hw, blur=0.4, exposure=1.0, noise_8bit=0.7)
    lr_camera = CameraModel(lr_hw, blur=0.5, exposure=rng.uniform(0.85, 1.1), gamma=1.04, noise_8bit=1.0)
    lr_photo = capture(scene, look(lr_hw, SCALE * rng.uniform(0.98, 1.02)), lr_camera, rng)
    return lr_photo, capture(scene, look(hr_hw, 1.0), hr_camera, rng)


def _pixels(path: Path) -> np.ndarray:
    from realdeg.io.photo import read

    return read(path).pixels


def _keep(path: Path, make: Callable[[], np.ndarray]) -> None:
    from realdeg.io.save import write_image

    if not path.is_file():
        write_image(path, make())


def _closing(
    table: Table,
    shipped: Table,
    stage: Stages,
    degraded: Path,
    recipe: Path,
    replayed: str,
    seconds: float,
    say: Callable[[str], None],
) -> dict[str, Any]:
    from realdeg.records import read_manifest

    records = read_manifest(stage.pairs)
    say(f"\nDone in {seconds:.0f} s.")
    say(f"  {stage.pairs}: {sum(r.ok for r in records)} registered pairs")
    for record in records:
        if not record.ok:
            say(f"    {record.status}: {record.key}: {record.reason}")
    say(f"  {degraded}: {sum(r.ok for r in read_manifest(degraded))} degraded pairs")
    say(f"  {recipe}: {replayed}")
    say(f"  {stage.run}: D2C-SR, tested on {len(table.rows)} pairs of scenes it has not seen\n")
    say(f"  {'PSNR-Y, dB':<28}{'bicubic':>9}{'model':>9}{'gain':>9}")
    for row in (*table.rows, {"key": "mean", **table.means}):
        bicubic, model = row["psnr_y_bicubic"], row["psnr_y"]
        say(f"  {row['key']:<28}{bicubic:>9.2f}{model:>9.2f}{model - bicubic:>+9.2f}")
    say(f"\n  The model is {_gain(table)}.")
    say(f"  The shipped model (x4) is {_gain(shipped)} on {len(shipped.rows)} images of an unseen picture.")
    say(f"  Reports: {(stage.pairs / 'report' / 'index.html').resolve()}")
    say(f"           {(recipe / 'report' / 'index.html').resolve()}")
    say(f"           {(stage.run / 'evaluation' / 'index.html').resolve()}")
    say(f"           {(recipe.parent / 'shipped' / 'evaluation' / 'index.html').resolve()}")
    reports = (stage.pairs, recipe, stage.run / "evaluation", recipe.parent / "shipped" / "evaluation")
    return {
        "seconds": round(seconds, 1), "pairs": str(stage.pairs), "run": str(stage.run), "means": table.means,
        "gain_db": table.gain_db, "shipped_gain_db": shipped.gain_db,
        "reports": [str(one / "index.html" if one.name == "evaluation" else one / "report" / "index.html")
                    for one in reports],
    }  # fmt: skip


def _gain(table: Table) -> str:
    gain = table.gain_db or 0.0
    word = "above bicubic" if gain > 0 else "BELOW bicubic: it does not beat it"
    return f"{abs(gain):.2f} dB {word}"


@command(short_help="Align, degrade, train, evaluate and report on the bundled photos.")
@click.option(
    "-o", "--out", type=FOLDER, default=Path("demo"), help="Folder that receives all that the demo makes."
)
@click.option("--steps", type=click.IntRange(1), default=STEPS, help="Training steps.")
@click.option("-j", "--workers", type=click.IntRange(0), default=0, help="Processes; 0 = one per core.")
def main(out: Path, steps: int, workers: int, output: Output) -> None:
    """Align, degrade, train, evaluate and report on the bundled photos.

    Examples:
      realdeg run demo -o demo
    """
    if output.dry_run:
        pictures = sum(path.suffix == ".png" for path in (SAMPLE / "clean").glob("*"))
        output.result(
            {"dry_run": True, "out": str(out), "handheld": len(HANDHELD), "pictures": pictures},
            f"1. capture {pictures} pictures by a simulated camera, beside {len(HANDHELD)} handheld pairs",
            f"2. degrade {pictures} pictures by a kernel pool, and by the recipe realesrgan",
            f"3. register the pairs, train D2C-SR for {steps} steps, evaluate and report, into {out}",
        )
        return
    told = demo(out, steps=steps, workers=workers or cores(), say=output.say)
    output.result(told)


if __name__ == "__main__":
    from realdeg.cli.main import run

    run(main, "python -m pipelines.demo")

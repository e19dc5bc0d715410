"""Every figure of this project that needs a GPU, by one command, in less than eight minutes.

    python benchmarks/gpu.py [--device cuda] [--hr Set5/HR] [--seconds 420]

Training of the paper's x4 model at batch 4 and 32 in all ways (float32, bf16, grouped leaves, compiled, CUDA
graphs), peak memory; patches a second of the whole training program with its data loader; forward passes;
bf16 against float32 in PSNR; training of VSpSR and RefVAE, and what their samples cost; degradation on the
device; KernelGAN. A section that fails says so and the next goes on; one that would begin after --seconds is
left out. Send the output with the name of the card. With --device cpu and --small it runs anywhere, to be
tested.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from degrade import on_device, scene
from samples import costs
from train_step import compare

from realdeg.imaging.resample import resize
from train.d2c.command import train_d2c
from train.d2c.settings import PRESETS, D2CSettings
from train.engine.run_settings import RunSettings
from train.refvae.command import train_refvae
from train.refvae.settings import PRESETS as REFVAE_PRESETS
from train.refvae.settings import RefVAESettings
from train.vspsr.command import train_vspsr
from train.vspsr.settings import PRESETS as VSPSR_PRESETS
from train.vspsr.settings import VSpSRSettings


def main() -> None:
    """Run the sections."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--hr", type=Path, help="HR images for bf16 against float32; else bundled ones")
    parser.add_argument("--seconds", type=float, default=420)
    parser.add_argument("--small", action="store_true", help="tiny sizes, to test this file")
    args = parser.parse_args()
    device = torch.device(args.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SystemExit("no CUDA GPU here; --device cpu --small tests this file")
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else args.device
    print(f"{card}, torch {torch.__version__}, CUDA {torch.version.cuda}")
    started = time.monotonic()
    base = D2CSettings(**{**PRESETS["tiny" if args.small else "paper"], "scale": 4, "diagnose_every": 0})
    patch, repeats = (16, 1) if args.small else (96, 10)
    image = scene(None)
    sections: dict[str, Callable[[], None]] = {
        "Training step, batch 4": lambda: steps(base, device, patch, 4, repeats, ["fp32", "bf16", "grouped"]),
        "Training step, batch 32": lambda: steps(
            base, device, patch, 32 if not args.small else 2, repeats, ["fp32", "bf16", "grouped"]
        ),
        "The training program, loader on, batch 32": lambda: program("d2c", args.device, image, args.small),
        "bf16 against float32": lambda: precision(args.device, args.hr),
        "VSpSR's training program, batch 32": lambda: program("vspsr", args.device, image, args.small),
        "RefVAE's training program, batch 32": lambda: program("refvae", args.device, image, args.small),
        "Samples of VSpSR and RefVAE": lambda: costs(16 if args.small else 64, repeats, args.device),
        "Degradation on the device": lambda: on_device(args.device, image, 1),
        "KernelGAN, 250 iterations": lambda: kernelgan_time(device, image, 25 if args.small else 250),
        "Training step, compiled, batch 32": lambda: steps(
            base, device, patch, 32 if not args.small else 2, repeats, ["compile", "graphs"]
        ),
    }
    for name, section in sections.items():
        spent = time.monotonic() - started
        print(f"\n## {name}  [{spent:.0f} s]", flush=True)
        if spent > args.seconds:
            print("left out: no time left")
            continue
        try:
            section()
        except Exception as error:
            print(f"failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
    print(f"\nDone in {time.monotonic() - started:.0f} s.")


@contextlib.contextmanager
def peak(device: torch.device) -> Iterator[None]:
    """Print the memory that the body took of the device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    yield
    if device.type == "cuda":
        print(f"peak memory of these ways together: {torch.cuda.max_memory_allocated(device) / 1e9:.2f} GB")


def steps(
    base: D2CSettings, device: torch.device, patch: int, batch: int, repeats: int, ways: list[str]
) -> None:
    """Step and forward pass beside the plain port's."""
    with peak(device):
        compare(base, device, patch, batch, repeats, ways)


def program(kind: str, device: str, image: np.ndarray, small: bool) -> None:
    """Patches a second of a training program as users run it, after its first steps."""
    from realdeg.io.save import write_image
    from realdeg.records import PairRecord, write_manifest

    batch, count = (2, 6) if small else (32, 60)
    size = "tiny" if small else "paper"
    with tempfile.TemporaryDirectory() as name:
        folder, records = Path(name), []
        for i in range(8):
            hr = np.ascontiguousarray(np.roll(image, 97 * i, (0, 1))[:1200, :1600])
            write_image(folder / f"HR/{i}.png", hr)
            write_image(folder / f"LR/{i}.png", np.asarray(resize(hr, 0.25), np.uint8))
            records.append(PairRecord(str(i), "ok", "", f"LR/{i}.png", f"HR/{i}.png", 4, split="train"))
        write_manifest(folder, records)
        times = []
        for steps_now in (count // 3, count):
            words = {
                "data": folder, "out": folder / "run", "batch": batch, "steps": steps_now, "device": device,
                "log_every": 10, "save_every": 10**6, "check_every": 10**6, "tensorboard": "off",
            }  # fmt: skip
            start = time.perf_counter()
            learn(kind, size, words, folder / "HR")
            times.append(time.perf_counter() - start)
        # The second call goes on where the first one stopped.
        done = count - count // 3
        print(f"{batch * done / times[1]:.0f} patches/s, start of the program and checkpoint included")


def learn(kind: str, size: str, words: dict[str, Any], pictures: Path) -> None:
    """Train without weights that would have to be fetched: of VGG-19, the random ones."""
    if kind == "d2c":
        s: RunSettings = D2CSettings(**{**PRESETS[size], "diagnose_every": 0, **words})
        train_d2c(s, quiet=True, say=lambda text: None)
    elif kind == "vspsr":
        s = VSpSRSettings(**{**VSPSR_PRESETS[size], "vgg": 0.0, **words})
        train_vspsr(s, quiet=True, say=lambda text: None)
    else:
        more = {"trunk": "random", "lpips": 0.0, "references": pictures}
        s = RefVAESettings(**{**REFVAE_PRESETS[size], **more, **words})
        train_refvae(s, quiet=True, say=lambda text: None)


def precision(device: str, hr: Path | None) -> None:
    """PSNR-Y of the shipped model in both precisions."""
    from train.evaluate.command import evaluate
    from train.restore.models import load

    folder = hr or Path(__file__).resolve().parents[1] / "data" / "sample" / "clean"
    for name in ("fp32", "bf16"):
        model = load(device=device, precision=name, say=lambda text: None)
        table = evaluate(None, hr=folder, model=model)
        print(f"{name}: {table.means['psnr_y']:.3f} dB PSNR-Y, mean of {len(table.rows)} images x4")


def kernelgan_time(device: torch.device, image: np.ndarray, iterations: int) -> None:
    """Seconds a photo."""
    from realdeg.kernels import kernelgan

    photo = image[:512, :512].astype(np.float32) / 255
    start = time.perf_counter()
    kernelgan.estimate_kernels([photo], ["photo"], iterations=iterations, device=str(device))
    print(f"{time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()

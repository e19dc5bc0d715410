"""Whole images against tiles: time, memory and the largest difference.

    python benchmarks/tiling.py [--preset paper] [--scale 8] [--lr 432x288] [--tile 512] [--repeats 1]

Networks with random weights enlarge a random image, each way in a process of its own: whole is the plain
forward pass, tiles is what `train.upscale` does. Memory is the highest resident set above what the process
held with its networks built and the image at hand; it holds the fused image, float32. Linux only.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def main() -> None:
    """Measure, or be the process that is measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--scale", type=int, default=8)
    parser.add_argument("--lr", default="432x288", help="width x height of LR; 108x72 for a quick look")
    parser.add_argument("--tile", type=int, default=512, help="side of a tile, HR px")
    parser.add_argument("--repeats", type=int, default=1, help="of both ways, in turn; medians are printed")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--way", choices=["whole", "tiles"], help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.way:
        measure(args)
        return
    found: dict[str, list[dict[str, float]]] = {"whole": [], "tiles": []}
    with tempfile.TemporaryDirectory() as folder:
        files = {way: Path(folder, f"{way}.npy") for way in found}
        for _ in range(args.repeats):
            for way, file in files.items():
                found[way].append(child(way, file))
        whole, tiles = (np.load(file) for file in files.values())
    print(f"{args.preset}, x{args.scale}, LR {args.lr}, {args.precision}, threads: {args.threads}")
    print(f"{'way':<20}{'seconds':>10}{'times':>8}{'GB above base':>16}{'base, GB':>10}")
    first = statistics.median(one["seconds"] for one in found["whole"])
    for way, rows in found.items():
        seconds, rise, base = (
            statistics.median(row[key] for row in rows) for key in ("seconds", "rise", "base")
        )
        label = way if way == "whole" else f"tiles of {args.tile} px"
        print(f"{label:<20}{seconds:>10.1f}{seconds / first:>8.2f}{rise:>16.2f}{base:>10.2f}")
    print(f"largest difference: {np.abs(whole - tiles).max():.1e} of values in about [0, 1]")


def child(way: str, out: Path) -> dict[str, float]:
    """This program again, for one way: seconds; base and rise of memory, GB."""
    words = [sys.executable, *sys.argv, "--way", way, "--out", str(out)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def measure(args: argparse.Namespace) -> None:
    """Enlarge, print what it took, and leave the image."""
    import torch

    from train.d2c.build import build
    from train.d2c.settings import PRESETS, D2CSettings
    from train.machine import choose
    from train.restore.model import D2CSR, tensor
    from train.restore.tiling import upscale_tiled

    torch.set_num_threads(args.threads)
    settings = D2CSettings(**{**PRESETS[args.preset], "scale": args.scale})
    machine = choose("cpu", args.precision)
    tree, fusion = (net and machine.place(net).eval() for net in build(settings))
    model = D2CSR(tree, fusion, args.scale, machine)
    width, height = (int(side) for side in args.lr.split("x"))
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    lr = machine.bring(tensor(image))

    def enlarge(lr: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode(), machine.autocast():
            if args.way == "whole":
                return model.enlarge(lr)
            return upscale_tiled(tree, fusion, lr, scale=args.scale, tile=args.tile, branches=False)

    enlarge(lr[..., :8, :8])  # the first call loads kernels
    base = memory("VmRSS")
    start = time.perf_counter()
    result = enlarge(lr)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "base": base, "rise": memory("VmHWM") - base}))
    np.save(args.out, result.float().numpy())


def memory(which: str) -> float:
    """GB that this process holds (VmRSS), or held at most (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    kib = next(int(line.split()[1]) for line in lines if line.startswith(f"{which}:"))
    return kib * 1024 / 1e9


if __name__ == "__main__":
    main()

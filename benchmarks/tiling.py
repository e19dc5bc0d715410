"""An image in tiles against the image whole: seconds, memory, and how far they are apart.

python benchmarks/tiling.py [--preset paper] [--scale 8] [--lr 432x288] [--tile 512] [--threads 1]

Each way runs in a process of its own, which reports its peak memory above what it held once the network was
there. The network has random weights; channel attention answers to the whole image all the same.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from train.d2c_build import build
from train.d2c_settings import PRESETS, D2CSettings
from train.machine import choose
from train.restore.model import Model

WHOLE = 1 << 30  # px: a tile that holds any image


def held() -> int:
    """Bytes that this process has at the moment."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def one_way(preset: str, scale: int, size: tuple[int, int], tile: int, out: Path) -> None:
    """Enlarge an image and print seconds and bytes as JSON."""
    tree, fusion = build(D2CSettings(**{**PRESETS[preset], "scale": scale}))
    machine = choose("cpu", "fp32")
    model = Model(machine.place(tree.eval()), fusion and machine.place(fusion.eval()), scale, machine, tile)
    lr = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    model.predict(lr[:16, :16])  # libraries take their memory
    base = held()
    began = time.perf_counter()
    image = model.predict(lr)[0].numpy()
    seconds = time.perf_counter() - began
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    np.save(out, image)
    print(json.dumps({"seconds": seconds, "bytes": peak - base}))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--scale", type=int, default=8)
    parser.add_argument("--lr", default="432x288")
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--one-way", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    width, height = (int(side) for side in given.lr.split("x"))
    if given.one_way:
        one_way(given.preset, given.scale, (width, height), given.tile, given.one_way)
        return
    words = [
        f"--preset={given.preset}",
        f"--scale={given.scale}",
        f"--lr={given.lr}",
        f"--threads={given.threads}",
    ]
    print(f"{given.preset} x{given.scale}, LR {given.lr}, {given.threads} threads, float32")
    print("| way | s | of whole | GB above the base |")
    print("|---|---|---|---|")
    images, first = [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        for name, tile in (("whole", WHOLE), (f"tiles of {given.tile} px", given.tile)):
            out = Path(folder) / f"{tile}.npy"
            command = [sys.executable, __file__, *words, f"--tile={tile}", f"--one-way={out}"]
            told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            first = first or told["seconds"]
            seconds, size = told["seconds"], told["bytes"] / 1e9
            print(f"| {name} | {seconds:.1f} | {seconds / first:.2f} | {size:.2f} |", flush=True)
            images.append(np.load(out))
    print(f"largest difference: {np.abs(images[0] - images[1]).max():.1e} of [0, 1]")


if __name__ == "__main__":
    main()

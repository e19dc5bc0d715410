"""What a sample costs: of VSpSR and RefVAE, one, ten, and a further one; against drawing each from scratch.

python benchmarks/samples.py [--lr 64] [--repeats 3] [--threads 1] [--device cpu]

Networks have the papers' sizes and random weights: the figures are of time alone. The baseline is what the
released codes do, the whole network for each sample. Operations are counted by torch, a multiplication and
an addition as two, on one forward pass.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from train.machine import choose, hold_memory
from train.nets.refvae import Features, RefVAENet
from train.nets.trunks import seeded
from train.nets.vspm import VSpM
from train.restore.refvae import RefVAE
from train.restore.space import Space
from train.restore.vspsr import VSpSR

TEN = 10


def vspsr(scale: int, device: str = "cpu") -> tuple[Space, Callable[[int], object]]:
    """The paper's module, and one forward pass of it on an LR of so many px."""
    torch.manual_seed(0)
    net = VSpM(scale, 256, interpolation="bilinear" if scale < 8 else "bicubic").eval()
    machine = choose(device, "fp32")
    return VSpSR(machine.place(net), None, machine), lambda side: VSpM(scale, 256)(
        torch.empty(1, 3, side, side)
    )


def refvae(scale: int, device: str = "cpu") -> tuple[Space, Callable[[int], object]]:
    """The paper's network behind VGG-19, and one forward pass with a reference of 256 px."""
    torch.manual_seed(0)
    features, machine = Features(), choose(device, "fp32")
    features.trunk.take(seeded(features.trunk, 0))

    def forward(side: int) -> object:
        net, seen = RefVAENet(), Features()
        mean, _ = net.of_reference(seen(torch.empty(1, 3, 256, 256))[-1])
        return net(seen(torch.empty(1, 3, side * scale, side * scale))[-1], mean)

    return RefVAE(machine.place(RefVAENet().eval()), machine.place(features), scale, machine), forward


def best(repeats: int, work: Callable[[], object]) -> float:
    """Seconds of the fastest of some runs."""
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return min(taken)


def costs(side: int, repeats: int, device: str = "cpu") -> None:
    """Print the table for LR of so many px."""
    lr = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    picture = np.random.default_rng(1).integers(0, 256, (300, 400, 3), np.uint8)
    print("| network | GFLOP | one, s | GFLOP/s | ten / one | a further one, ms | ten from scratch / ten |")
    print("|---|---|---|---|---|---|---|")
    for name, make in (("VSpSR", vspsr), ("RefVAE", refvae)):
        for scale in (4, 8):
            model, forward = make(scale, device)
            guide = None if name == "VSpSR" else [picture]
            with torch.device("meta"), FlopCounterMode(display=False) as counter:
                forward(side)
            operations = counter.get_total_flops() / 1e9

            def drawn(count: int, model: Space = model, guide: list[np.ndarray] | None = guide) -> None:
                sampler = model.sampler(lr, guide)
                for seed in range(count):
                    sampler.draw(seed)

            drawn(1)  # kernels are chosen, memory is fetched
            one, ten = best(repeats, lambda d=drawn: d(1)), best(repeats, lambda d=drawn: d(TEN))
            print(
                f"| {name} x{scale} | {operations:.1f} | {one:.3f} | {operations / one:.0f} | "
                f"{ten / one:.2f} | {1000 * (ten - one) / (TEN - 1):.0f} | {TEN * one / ten:.1f} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    hold_memory()  # as train.sample does
    print(f"LR {given.lr} px, {given.device}, {given.threads} threads, float32, best of {given.repeats}")
    costs(given.lr, given.repeats, given.device)


if __name__ == "__main__":
    main()

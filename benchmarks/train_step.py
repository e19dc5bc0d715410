"""One training step of D2C-SR and one forward pass, against a plain port of the released order.

    python benchmarks/train_step.py [--preset paper] [--patch 96] [--batch 4] [--repeats 3]

The plain port is what one writes down from the released code: float32, channels first, four branches one by
one, loops over pairs of leaves, and the tree run a second time for the convergence step. Ways are measured
in turn, round after round, in one process; times are medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from train.d2c.build import build
from train.d2c.learning import Learning
from train.d2c.settings import PRESETS, D2CSettings
from train.machine import choose, hold_memory


class Plain:
    """The released order in plain PyTorch.

    Args:
        settings: of a tree of depth 2 with two children.
        device: to run on.
    """

    def __init__(self, settings: D2CSettings, device: torch.device) -> None:
        self.tree, self.fusion = (net.to(device) for net in build(settings))
        self.opt_d, self.opt_c = (
            torch.optim.Adam(net.parameters(), lr=settings.learning_rate) for net in (self.tree, self.fusion)
        )

    def step(self, lr: Tensor, hr: Tensor) -> None:
        """D step, the tree again, C step."""
        pred = self.tree(lr)
        loss = sum(F.mse_loss(pred[:, i], hr) for i in range(4))
        target = self.standard(hr)
        res = [(self.standard(pred[:, i]) - target).abs() for i in range(4)]
        apart = 0.0
        for i in range(4):
            for j in range(4):
                if i != j:
                    beta, margin = (0.8, 2e-5) if i // 2 == j // 2 else (1.0, 5e-5)
                    trip = res[i].square().mean() - (res[i] - res[j]).square().mean() + margin
                    apart += beta * trip.clamp(min=0).item()
        self.opt_d.zero_grad()
        (loss + 2e-5 * apart / 12).backward()
        self.opt_d.step()
        with torch.no_grad():
            again = self.tree(lr)
        fused, _ = self.fusion(again)
        self.opt_c.zero_grad()
        F.mse_loss(fused, hr).backward()
        self.opt_c.step()

    @staticmethod
    def standard(image: Tensor) -> Tensor:
        """Standardised mean channel, over the batch."""
        grey = image.mean(1)
        return (grey - grey.mean()) / grey.std(unbiased=False)

    def forward(self, lr: Tensor) -> Tensor:
        """The fused image."""
        with torch.no_grad():
            return self.fusion(self.tree(lr))[0]


def ours(
    settings: D2CSettings, device: str, precision: str
) -> tuple[Callable[[Tensor, Tensor], None], Callable[[Tensor], Tensor]]:
    """Step and forward pass as `train.d2c` and `train.upscale` do them."""
    machine = choose(device, precision)
    learning = Learning(settings, machine)
    count = 0

    def step(lr: Tensor, hr: Tensor) -> None:
        nonlocal count
        count += 1
        small, large = machine.bring(lr), machine.bring(hr)
        pred, told = learning.divergence(small, large, count, settings.learning_rate, settings.alpha)
        told |= learning.convergence(pred, large, settings.lr)
        for value in told.values():
            float(value)  # as the loop does

    def forward(lr: Tensor) -> Tensor:
        with torch.inference_mode(), machine.autocast():
            fused: Tensor = learning.fusion(learning.tree(machine.bring(lr)))[0]
        return fused

    return step, forward


def timed(run: Callable[[], object], device: torch.device) -> float:
    """Seconds."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print one line for each way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--patch", type=int, default=96)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--ways", default="fp32,bf16", help="of fp32, bf16, grouped, compile, graphs")
    args = parser.parse_args()
    base = D2CSettings(**{**PRESETS[args.preset], "scale": 4, "diagnose_every": 0, "alpha": 2e-5})
    machine = choose(args.device, "fp32")
    if machine.device.type == "cpu":
        hold_memory()
    compare(base, machine.device, args.patch, args.batch, args.repeats, args.ways.split(","))


def compare(
    base: D2CSettings, device: torch.device, patch: int, batch: int, repeats: int, ways: list[str]
) -> None:
    """Print step and forward pass of each way beside the plain port's."""
    generator = torch.Generator().manual_seed(0)
    lr = torch.rand(batch, 3, patch, patch, generator=generator).to(device)
    hr = torch.rand(batch, 3, 4 * patch, 4 * patch, generator=generator).to(device)
    changed = {
        "grouped": {"leaves": "grouped"},
        "compile": {"compile": "default"},
        "graphs": {"compile": "reduce-overhead"},
    }
    plain = Plain(base, device)
    made: dict[str, tuple[Callable[[Tensor, Tensor], None], Callable[[Tensor], Tensor]]] = {
        "plain port, fp32": (plain.step, plain.forward)
    }
    for way in ways:
        settings = D2CSettings(**{**vars(base), **changed.get(way, {})})
        precision = way if way in ("fp32", "bf16") else "bf16"
        made[way if way == precision else f"bf16, {way}"] = ours(settings, str(device), precision)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in made}
    for round_ in range(repeats + 1):
        for name, (step, forward) in made.items():
            taken = timed(lambda s=step: s(lr, hr), device), timed(lambda f=forward: f(lr), device)
            if round_:  # the first is for warming up
                times[name].append(taken)
    first = [statistics.median(column) for column in zip(*times["plain port, fp32"], strict=True)]
    print(f"{batch} x {patch}x{patch} -> x4, {device}, {torch.get_num_threads()} threads")
    print(f"{'way':<24}{'step, ms':>12}{'times':>8}{'patches/s':>12}{'forward, ms':>14}{'times':>8}")
    for name, rows in times.items():
        step, forward = (statistics.median(column) for column in zip(*rows, strict=True))
        print(
            f"{name:<24}{1e3 * step:>12.1f}{first[0] / step:>8.2f}{batch / step:>12.1f}"
            f"{1e3 * forward:>14.1f}{first[1] / forward:>8.2f}"
        )


if __name__ == "__main__":
    main()

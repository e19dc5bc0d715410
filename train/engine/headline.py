"""The few figures of a training that are worth watching; metrics.csv and TensorBoard have all of them."""

from __future__ import annotations

from collections.abc import Mapping

SMOOTH = 50  # steps: a batch's loss says more of its images than of the networks
NAMES = {"psnr_y": ("PSNR", "{:.2f} dB"), "ssim_y": ("SSIM", "{:.4f}")}
BICUBIC = "_bicubic"  # ends the names of the figures that networks are compared with


class Headline:
    """Loss and PSNR as they stand.

    The loss is the first figure that a step tells, the one that holds images against HR, as a running mean;
    PSNR is of the last validation.
    """

    def __init__(self) -> None:
        self.loss = 0.0
        self.count = 0
        self.psnr: float | None = None

    def add(self, values: Mapping[str, float]) -> None:
        """Take in the figures of one step."""
        for value in values.values():
            self.count = min(self.count + 1, SMOOTH)
            self.loss += (value - self.loss) / self.count
            return

    def judged(self, judgement: Mapping[str, float]) -> None:
        """Take in what a check of the networks found."""
        self.psnr = judgement.get("psnr_y", self.psnr)

    def told(self) -> dict[str, str]:
        """What is shown beside speed and time; nothing that is not known yet."""
        told = {"loss": f"{self.loss:.3g}"} if self.count else {}
        if self.psnr is not None:
            told["PSNR"] = f"{self.psnr:.2f} dB"
        return told


def in_words(judgement: Mapping[str, float]) -> str:
    """`PSNR 30.12 dB (bicubic 28.90 dB), SSIM 0.8712 (bicubic 0.8500)`."""
    said = []
    for name, value in judgement.items():
        if name.endswith(BICUBIC) and name.removesuffix(BICUBIC) in judgement:
            continue
        word, form = NAMES.get(name, (name, "{:.4g}"))
        other = judgement.get(f"{name}{BICUBIC}")
        beside = "" if other is None else f" (bicubic {form.format(other)})"
        said.append(f"{word} {form.format(value)}{beside}")
    return ", ".join(said)

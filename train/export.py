"""Hand a trained network on: as one file of weights, or as ONNX, checked against the network itself.

python -m train.export --run RUN -o model.onnx
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from realdeg.errors import EXIT_MISSING_RESOURCE, EXIT_USAGE, UserError
from train.settings import CONTEXT

if TYPE_CHECKING:
    from train.restore.model import Model

TOLERANCE = 1e-4  # of [0, 1]
OPSET = 18
SIZES = ((24, 20), (17, 31))  # LR of the check, height and width
NEEDED = ("onnx", "onnxscript", "onnxruntime")


def export_onnx(model: Model, path: Path) -> float:
    """Write one ONNX file, and run it.

    Its input `lr` is (B, 3, h, w) float32 RGB in [0, 1] of any size, its output `sr` (B, 3, s h, s w),
    clamped to [0, 1]. It enlarges images whole: memory grows with the image, tiling is the caller's.

    Args:
        model: on the CPU, float32; consistency projection and ensemble are not part of the file.
        path: to write.

    Returns:
        Largest difference between onnxruntime and the network over images of two sizes, of [0, 1].

    Raises:
        UserError: a package is missing, the file cannot be written, or the two disagree by more than 1e-4.
    """
    import torch

    from realdeg.atomic import whole_file

    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        problem = f"needs {', '.join(missing)}"
        remedy = "run `pip install 'realdeg[onnx]'`"
        raise UserError("train.export", problem, remedy, exit_code=EXIT_MISSING_RESOURCE)
    import onnx

    whole = _whole(model)
    dynamic = {"lr": {0: "batch", 2: "height", 3: "width"}}
    with _quiet(), torch.no_grad():
        made = torch.onnx.export(
            whole, (torch.rand(2, 3, *SIZES[0]),), input_names=["lr"], output_names=["sr"],
            dynamic_shapes=dynamic, opset_version=OPSET, dynamo=True, external_data=False, verbose=False,
        )  # fmt: skip
    assert made is not None
    proto = made.model_proto
    about = {"scale": model.scale, "range": "RGB in [0, 1]", "made with": "realdeg"}
    onnx.helper.set_model_props(proto, {"realdeg": json.dumps(about)})
    with whole_file(path) as temporary:
        temporary.write_bytes(proto.SerializeToString())
        difference = _difference(whole, temporary)
        if not difference <= TOLERANCE:
            problem = f"onnxruntime's image is off by {difference:.2g} of the range"
            raise UserError(path, problem, "this is a bug; please report it with the settings of the run")
    return difference


def _whole(model: Model) -> Any:
    import copy

    from torch import Tensor, nn

    from train.nets.bicubic import BicubicBase, BicubicConvolution

    class Whole(nn.Module):
        """Tree and fusion in one, (B, 3, h, w) -> (B, 3, s h, s w) in [0, 1]."""

        def __init__(self) -> None:
            super().__init__()
            self.tree, self.fusion = copy.deepcopy((model.tree, model.fusion))
            for part in list(self.tree.modules()):
                for name, child in part.named_children():
                    if isinstance(child, BicubicBase):
                        setattr(part, name, BicubicConvolution(child.scale))

        def forward(self, lr: Tensor) -> Tensor:
            pred = self.tree(lr)
            image: Tensor = self.fusion(pred)[0] if self.fusion is not None else pred.mean(1)
            return image.clamp(0, 1)

    return Whole().cpu().float().eval()


def _difference(whole: Any, path: Path) -> float:
    """Largest difference of onnxruntime's images from the network's."""
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for size in SIZES:
        lr = torch.rand(1, 3, *size, generator=generator)
        (theirs,) = session.run(None, {"lr": lr.numpy()})
        with torch.no_grad():
            worst = max(worst, float((whole(lr) - torch.from_numpy(theirs)).abs().max()))
    return worst


@contextlib.contextmanager
def _quiet() -> Any:
    """What the exporter has to say of its own progress, left out."""
    loggers: Sequence[str] = ("torch.onnx", "onnxscript", "onnx_ir")
    before = {name: logging.getLogger(name).level for name in loggers}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for name in loggers:
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            yield
        finally:
            for name, level in before.items():
                logging.getLogger(name).setLevel(level)


@click.command(context_settings=CONTEXT)
@click.option("--run", type=click.Path(path_type=Path), help="Run folder of a training.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="One .safetensors file instead of a run.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="FILE.onnx or FILE.safetensors."
)
@click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks.")
def main(run: Path | None, checkpoint: Path | None, out: Path) -> None:
    """Write a trained network to one file.

    .safetensors: weights and settings for --checkpoint, averaged weights where the run has them. .onnx: for
    other programs, checked with onnxruntime; input lr: (B, 3, h, w) float32, RGB in [0, 1], any size; output
    sr: (B, 3, SCALE h, SCALE w).
    """
    from train.average import SUFFIX
    from train.models import load, opened
    from train.restore.checkpoint import hand_on
    from train.restore.model import Model

    if out.suffix == ".safetensors":
        hand_on(opened(run, checkpoint, click.echo), out, SUFFIX)
        click.echo(f"{out}: {out.stat().st_size / 1e6:.2f} MB")
        return
    if out.suffix != ".onnx":
        problem = f"is neither .onnx nor .safetensors but {out.suffix or 'without ending'}"
        raise UserError(out, problem, "choose one of them", exit_code=EXIT_USAGE)
    model = load(run, checkpoint=checkpoint, device="cpu", say=click.echo)
    if not isinstance(model, Model):
        problem = f"is a {type(model).__name__}, which draws its images: it has no ONNX form"
        raise UserError(run or checkpoint or out, problem, "choose .safetensors", exit_code=EXIT_USAGE)
    difference = export_onnx(model, out)
    size = out.stat().st_size / 1e6
    click.echo(f"{out}: x{model.scale}, {size:.1f} MB; onnxruntime differs by {difference:.1e} of [0, 1]")


if __name__ == "__main__":
    from realdeg.cli.main import run as run_program

    run_program(main, "python -m train.export")

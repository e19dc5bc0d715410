"""Hand a trained network on: as one file of weights, or as ONNX, checked against the network itself.

realdeg export-model --run RUN -o model.onnx      (or python -m train.export)
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import logging
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from realdeg.errors import EXIT_MISSING_RESOURCE, EXIT_USAGE, UserError
from realdeg.options import PATH, command, settings_options
from realdeg.output import Output
from train.restore.inference_settings import InferenceOptions, WhichModel

if TYPE_CHECKING:
    from torch import Tensor

    from train.restore.graphs import Network
    from train.restore.model import Trained

TOLERANCE = 1e-4  # of [0, 1]
OPSET = 18
SIZES = ((24, 20), (17, 31))  # LR of the check, height and width
NEEDED = ("onnx", "onnxscript", "onnxruntime")


def export_onnx(model: Trained, path: Path) -> float:
    """Write one ONNX file, and run it.

    Its input `lr` is (B, 3, h, w) float32 RGB in [0, 1] of any size, its output `sr` (B, 3, s h, s w),
    clamped to [0, 1]. It enlarges images whole: memory grows with the image, tiling is the caller's. What a
    model draws is a further input, standard normal for a sample, 0 for the mode: VSpSR's `noise` of the
    coefficients (B, 3, n, h, w) and, where that is drawn, `basis_noise` (B, 3, n, side, side); RefVAE's
    `code` (B, latent), with VGG-19 of the LR side in the file, and no reference.

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
    from train.restore.graphs import network

    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        problem = f"needs {', '.join(missing)}"
        remedy = "run `pip install 'realdeg[onnx]'`"
        raise UserError("train.export", problem, remedy, exit_code=EXIT_MISSING_RESOURCE)
    import onnx

    whole = network(model)
    dynamic = {one.name: one.free for one in whole.inputs}
    with _quiet(), torch.no_grad():
        made = torch.onnx.export(
            whole, kwargs=_example(whole, 2, SIZES[0]), output_names=["sr"],
            dynamic_shapes=dynamic, opset_version=OPSET, dynamo=True, external_data=False,
            verbose=False,
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


def _example(net: Network, batch: int, size_hw: tuple[int, int]) -> dict[str, Tensor]:
    import torch

    generator = torch.Generator().manual_seed(0)
    height, width = size_hw
    return {one.name: one.example(generator, batch=batch, height=height, width=width) for one in net.inputs}


def _difference(net: Network, path: Path) -> float:
    """Largest difference of onnxruntime's images from the network's."""
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    worst = 0.0
    for size in SIZES:
        given = _example(net, 1, size)
        (theirs,) = session.run(None, {name: value.numpy() for name, value in given.items()})
        with torch.no_grad():
            worst = max(worst, float((net(**given) - torch.from_numpy(theirs)).abs().max()))
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


@command(short_help="Write a trained model to one file: weights, or ONNX.")
@settings_options(WhichModel, "which")
@click.option("-o", "--out", type=PATH, required=True, help="File to write: .onnx or .safetensors.")
@settings_options(InferenceOptions, "use", leave=("device", "precision", "tile", "project", "ensemble"))
def main(which: WhichModel, out: Path, use: InferenceOptions, output: Output) -> None:
    """Write a trained network to one file.

    .safetensors: weights and settings for --checkpoint, averaged weights where the run has them. .onnx: for
    other programs, checked with onnxruntime; input lr: (B, 3, h, w) float32, RGB in [0, 1], any size; output
    sr: (B, 3, SCALE h, SCALE w). Further inputs, N(0, I) for a sample and 0 for the mode: a VSpSR's noise:
    (B, 3, BASIS, h, w), a RefVAE's code: (B, LATENT).

    Examples:
      realdeg export-model --run run -o model.onnx
      realdeg export-model --run run -o model.safetensors
    """
    from realdeg.layout import refuse_replacing
    from train.restore.checkpoint import EMA_SUFFIX, export_weights
    from train.restore.models import opened, restored

    if out.suffix not in (".onnx", ".safetensors"):
        problem = f"is neither .onnx nor .safetensors but {out.suffix or 'without ending'}"
        raise UserError(out, problem, "choose one of them", exit_code=EXIT_USAGE)
    found = opened(which.run, which.checkpoint, output.say)
    if output.dry_run:
        told = {"dry_run": True, "out": str(out), "model": str(found.weights), "scale": found.about["scale"]}
        output.result(told, f"would write {out}: x{found.about['scale']}, of {found.weights}")
        return
    if out.suffix == ".safetensors":
        refuse_replacing([out], [found.weights])
        export_weights(found, out, EMA_SUFFIX)
        size = out.stat().st_size
        output.result({"out": str(out), "bytes": size}, f"{out}: {size / 1e6:.2f} MB")
        return
    model = restored(found, replace(use, device="cpu"))
    difference = export_onnx(model, out)
    size = out.stat().st_size
    output.result(
        {"out": str(out), "bytes": size, "scale": model.scale, "difference": difference},
        f"{out}: x{model.scale}, {size / 1e6:.1f} MB; onnxruntime differs by {difference:.1e} of [0, 1]",
    )

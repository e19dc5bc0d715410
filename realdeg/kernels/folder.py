"""The job of `realdeg kernels`: blur kernels learned from photos, or from registered pairs, into one pool.

The state of a job lies beside the pool, in NAME.job/: the journal, manifest.csv with a row for every photo,
run.yaml, and the kernels found so far; the pool is written from these at the end. It may be deleted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from realdeg.arraytypes import Array
from realdeg.errors import EXIT_USAGE, UserError
from realdeg.identity import state_of
from realdeg.io.find import look
from realdeg.io.finding_settings import Finding
from realdeg.io.photo import read
from realdeg.jobs import Ended, JobReport, Running, run_job
from realdeg.kernels.estimator import estimator
from realdeg.kernels.from_pairs import PairKernel, kernel_of_pair
from realdeg.kernels.from_photo import learn_photo
from realdeg.kernels.settings import KernelSettings
from realdeg.layout import refuse_inside
from realdeg.pools.found import KERNEL_FILES, Kernel, OfCell, arrays_file, cells, job_folder, told, with_cells
from realdeg.pools.kernel_pool import KernelPool
from realdeg.records import PairRecord, read_manifest
from realdeg.refusal import Refusal
from realdeg.settings import to_mapping, versions, write_run
from realdeg.vouching import require_vouched

CONVENTION = "applied as correlation, centre of mass at the LR pixel's place"
SCALES = (2, 4)  # KernelGAN's: it learns x2 and derives x4


def estimate_photos(
    src: Path,
    out: Path,
    settings: KernelSettings,
    *,
    finding: Finding = Finding(),
    running: Running = Running(),
) -> JobReport:
    """Learn the kernel of each photo in a folder from the photo alone.

    Args:
        src: folder of photos, such as LR ones of the camera that is to be imitated.
        out: the pool: .npz, .mat, or a folder of KernelGAN's `NAME/NAME_kernel_xS.mat`.
        settings: scale, method and what the method takes.
        finding: which files of the folder are photos.
        running: limit, workers, overwriting, when to give up, progress.

    Raises:
        UserError: no photos, a scale that the method has not, or `out` cannot be used.
    """
    check(settings, out, src)
    asked: dict[str, Any] = {"scale": settings.scale}
    if settings.method == "kernelgan":
        asked |= {"iterations": settings.iterations, "seed": settings.seed}
    else:
        weights = estimator(settings.scale, settings.weights).digest
        asked |= {"weights": weights, "grid": list(settings.grid), "min_confidence": settings.min_confidence}
    work = partial(learn_photo, job=job_folder(out), settings=settings)
    photos = look(src, finding)
    return _run(
        work,
        photos.single,
        out,
        settings,
        settings.method,
        asked,
        {"src": src, **finding.told()},
        running,
        given=photos.refused("lr"),
        left_out=photos.left_out,
    )


def estimate_pairs(
    dataset: Path, out: Path, settings: KernelSettings, *, running: Running = Running()
) -> JobReport:
    """Fit the kernel of each registered pair of a dataset.

    Args:
        dataset: folder with manifest.csv.
        out, running: as in `estimate_photos`.
        settings: scale, size, grid and largest stated error.

    Raises:
        UserError: no dataset, no pair of this scale in it, or `out` cannot be used.
    """
    check(settings, out, dataset, pairs=True)
    pairs = find_pairs(dataset, settings.scale)
    asked = {name: to_mapping(settings)[name] for name in ("scale", "size", "grid", "max_error")}
    work = partial(fit_pair, job=job_folder(out), settings=settings)
    return _run(work, pairs, out, settings, "least squares of pairs", asked, {"src": dataset}, running)


def check(settings: KernelSettings, out: Path, src: Path, *, pairs: bool = False) -> None:
    """Refuse what cannot become a pool before anything is read.

    Raises:
        UserError: the scale, or the place of the output.
    """
    if not pairs and settings.method == "kernelgan" and settings.scale not in SCALES:
        problem = f"KernelGAN knows x{' and x'.join(map(str, SCALES))}, not x{settings.scale}"
        remedy = "choose one, or the default method, or give pairs (`from_pairs`)"
        raise UserError("`scale`", problem, remedy, exit_code=EXIT_USAGE)
    if not pairs and settings.method == "amortised":
        estimator(settings.scale, settings.weights)
    if out.suffix.lower() not in ("", ".npz", ".mat"):
        problem = f"pools are not written as {out.suffix}"
        raise UserError(out, problem, "end it in .npz or .mat, or name a folder", exit_code=EXIT_USAGE)
    refuse_inside(job_folder(out), src)
    refuse_inside(out, src)


@dataclass(frozen=True)
class Pair:
    """A registered pair: its key, its files, and its stated error, LR px, where there is one."""

    key: str
    lr: Path
    hr: Path
    error: float | None

    @property
    def sources(self) -> tuple[Path, ...]:
        """Both files, as `realdeg.jobs` asks for them."""
        return (self.lr, self.hr)


def find_pairs(dataset: Path, scale: int) -> list[Pair]:
    """Pairs of a dataset, in its order.

    Raises:
        UserError: no dataset, no pair of this scale, or files that are not what the manifest says.
    """
    records = [record for record in read_manifest(dataset) if record.ok]
    require_vouched(dataset, [record for record in records if record.scale == scale])
    found = [
        Pair(record.key, dataset / record.lr, dataset / record.hr, _number(record.detail.get("error_lr_px")))
        for record in records
        if record.scale == scale
    ]
    if not found:
        there = ", ".join(f"x{s}" for s in sorted({record.scale for record in records})) or "none at all"
        raise UserError(dataset, f"holds no pair of x{scale} ({there})", "give the scale of its pairs")
    return found


def _number(text: Any) -> float | None:
    with contextlib.suppress(TypeError, ValueError):
        return float(text)
    return None


# One pair


def fit_pair(pair: Pair, job: Path, settings: KernelSettings) -> PairRecord:
    """The kernels of one pair, one a cell of the grid: the work of one item."""
    record = record_of(pair, settings.scale)
    if refused := too_uncertain(pair, settings.max_error):
        return replace(record, reason=told(pair.lr, refused))
    return with_cells(job, record, *kernels_of(*read_pair(pair, settings.scale), settings))


def record_of(pair: Pair, scale: int) -> PairRecord:
    """A pair that nothing is known of yet but its files."""
    return PairRecord(
        pair.key,
        "rejected",
        scale=scale,
        scene=pair.key,
        how="pairs",
        source_lr=str(pair.lr),
        source_hr=str(pair.hr),
        detail={
            "source": pair.lr.name,
            "source_sha256": state_of(pair.lr).sha256,
            "hr_source_sha256": state_of(pair.hr).sha256,
        },
    )


def too_uncertain(pair: Pair, max_error: float) -> Refusal | None:
    """Why a pair is not used whose stated error is too large; None where it is not, or not known."""
    if pair.error is None or pair.error <= max_error:
        return None
    problem = f"its stated error of {pair.error:.3f} LR px is above {max_error:g}"
    return Refusal(problem, "raise `max_error`")


def read_pair(pair: Pair, scale: int) -> tuple[Array, Array]:
    """LR (h, w, 3) and HR (scale h, scale w, 3) of a pair, float32 in [0, 1].

    Raises:
        UserError: a file cannot be read, or HR has another size.
    """
    lr, hr = read(pair.lr).as_float(), read(pair.hr).as_float()
    if hr.shape != (lr.shape[0] * scale, lr.shape[1] * scale, 3):
        sizes = f"{hr.shape[1]}x{hr.shape[0]} px, not {scale} times {lr.shape[1]}x{lr.shape[0]}"
        raise UserError(pair.hr, f"is {sizes}", "make the pair again")
    return lr, hr


def kernels_of(lr: Array, hr: Array, settings: KernelSettings) -> tuple[list[OfCell], list[Refusal]]:
    """The kernels of a registered pair, one a cell of the grid, and why other cells give none.

    Args:
        lr: (h, w, 3) float32, RGB in [0, 1].
        hr: (scale h, scale w, 3), likewise.
        settings: scale, size and grid.
    """

    def kernel_of(part: tuple[slice, slice]) -> Kernel:
        found = kernel_of_pair(lr, hr, settings.scale, settings.size, part=part)
        return (found.kernel, figures_of(found)) if isinstance(found, PairKernel) else found

    return cells(settings.grid, lr.shape[:2], kernel_of)


def figures_of(found: PairKernel) -> dict[str, float]:
    """Figures of a kernel from a pair, by column."""
    names = ("centre", "centre_sd", "width", "width_sd")
    figures = {f"{name}_{a}": getattr(found, name)[i] for name in names for i, a in enumerate("xy")}
    for name in ("gain", "offset_8bit"):
        figures |= {f"{name}_{c}": getattr(found, name)[i] for i, c in enumerate("rgb")}
    figures |= {
        "weight_sd": float(np.sqrt(np.square(found.sd).mean())),
        "explained": found.explained,
        "residual_8bit": found.residual_8bit,
        "confidence": found.confidence,
    }
    return {name: round(value, 5) for name, value in figures.items()}


# Job


def _run(
    work: Any,
    items: Sequence[Any],
    out: Path,
    settings: KernelSettings,
    method: str,
    asked: dict[str, Any],
    inputs: dict[str, Any],
    running: Running,
    given: Sequence[PairRecord] = (),
    left_out: Mapping[str, int] | None = None,
) -> JobReport:
    job = job_folder(out)
    from_pairs = method != settings.method

    def also(ended: Ended) -> None:
        write_run(job, "realdeg kernels", {**inputs, "from_pairs": from_pairs, **asdict(settings)})
        # What an earlier run has written stays until a whole one replaces it.
        if ended.whole and (pool := pool_of(job, ended.records, method, asked)):
            pool.save(out, settings.scale)

    identity = {"how": "kernels", "method": method, **asked}
    return run_job(
        work, items, job, settings=identity, given=given, left_out=left_out, also=also, running=running
    )


def pool_of(
    job: Path, records: Sequence[PairRecord], method: str, asked: dict[str, Any]
) -> KernelPool | None:
    """The pool of all that the items of a job found; see `pool_of_arrays`."""
    done = [record for record in records if record.ok]
    arrays = [np.load(arrays_file(job, record, KERNEL_FILES)) for record in done]
    return pool_of_arrays(done, arrays, method, asked)


def pool_of_arrays(
    records: Sequence[PairRecord], arrays: Sequence[Array], method: str, asked: dict[str, Any]
) -> KernelPool | None:
    """The pool of all that was found, with its origin; None where nothing was.

    A photo that is there twice gives one kernel, which names the others that are the same to the pixel.

    Args:
        records: of the photos that gave kernels.
        arrays: (n, h, w) kernels of each.
        method, asked: for the pool's header.
    """
    names: list[str] = []
    first: dict[tuple[str, str], str] = {}
    kernels: list[Array] = []
    sources: dict[str, dict[str, Any]] = {}
    for record, found in zip(records, arrays, strict=True):
        parts = str(record.detail["cells"]).split() or [""]
        for i, (part, kernel) in enumerate(zip(parts, found, strict=True)):
            name = f"{record.key}/{part}" if part else record.key
            same = first.setdefault((str(record.detail.get("pixels", name)), part), name)
            if same != name:
                sources[same].setdefault("same_as", []).append(name)
                continue
            names.append(name)
            kernels.append(kernel)
            sources[name] = {
                column: value[i] if isinstance(value, list) else value
                for column, value in record.detail.items()
                if column not in ("cells", "refused_cells")
            }
    if not kernels:
        return None
    about = {"method": method, **asked, "convention": CONVENTION, "made_with": versions(), "kernels": sources}
    return KernelPool(tuple(names), tuple(kernels), about)

"""The job of `realdeg kernels --train`: photos in, weights of an estimator of kernels out.

Examples are made in chunks by worker processes and kept beside the weights, in NAME.job/, so that a job that
was killed goes on; training itself takes a minute or two and begins anew. The folder may be deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.guard import locked
from realdeg.io.find import look
from realdeg.io.finding_settings import Finding
from realdeg.io.photo import read
from realdeg.jobs import Ended, JobReport, Running, run_job
from realdeg.kernels import zoo
from realdeg.kernels.estimator_settings import TrainSettings
from realdeg.kernels.examples import example, sharp, usable
from realdeg.kernels.statistics import grey_of
from realdeg.layout import refuse_inside
from realdeg.pools.found import EXAMPLE_FILES, arrays_file, job_folder, with_arrays
from realdeg.records import PairRecord, fingerprint
from realdeg.seeds import stream
from realdeg.settings import versions, write_run

CHUNK = 250  # examples made in one go
PHOTOS = 25  # that a chunk's examples come from
FEWEST = 1000  # examples
SCENES = 60  # photos that the covariance of scenes is taken of


@dataclass(frozen=True)
class Chunk:
    """Some examples: their number, and the photos they are made of."""

    key: str
    number: int
    photos: tuple[Path, ...]

    @property
    def sources(self) -> tuple[Path, ...]:
        """The photos, as `realdeg.jobs` asks for them."""
        return self.photos


def train_kernels(
    src: Path,
    out: Path,
    scale: int,
    settings: TrainSettings = TrainSettings(),
    *,
    finding: Finding = Finding(),
    running: Running = Running(),
    say: Callable[[int, float], None] | None = None,
) -> JobReport:
    """Train an estimator of kernels on a folder of sharp photos.

    Args:
        src: folder of photos; those smaller than 64 times the scale are left out, large ones are reduced.
        out: the weights, .npz.
        scale: HR size / LR size.
        settings: how many examples and passes, and the seed.
        finding: which files of the folder are photos.
        running: workers, overwriting, progress of the examples.
        say: called after each pass with its number and its mean PSNR of kernels, dB.

    Raises:
        UserError: no photo is large enough, or `out` cannot be used.
    """
    check(src, out, settings)
    listing = look(src, finding)
    files = [found.path for found in listing.single]
    chunks = _chunks(files, settings)
    job = job_folder(out)
    work = partial(make_chunk, job=job, scale=scale, settings=settings)
    names = [file.relative_to(src).as_posix() for file in files]
    # Not of how many: more examples go on from fewer.
    photos = fingerprint(names, "")
    asked = {"how": "kernel examples", "scale": scale, "seed": settings.seed, "photos": photos}

    def also(ended: Ended) -> None:
        write_run(
            job, "realdeg kernels --train", {"src": src, "scale": scale, **finding.told(), **asdict(settings)}
        )

    report = run_job(
        work,
        chunks,
        job,
        settings=asked,
        given=listing.refused("hr"),
        left_out=listing.left_out,
        also=also,
        running=running,
    )
    made = [record for record in report.records if record.ok]
    if report.interrupted or report.unfinished or report.stopped:
        return report
    seen, kernels = _gathered(job, made)
    if len(seen) < FEWEST:
        problem = f"gave {len(seen)} examples, {FEWEST} are needed"
        raise UserError(src, problem, f"give more photos of {64 * scale} px a side or more")
    from realdeg.kernels.estimator_training import binned, scene_covariance, train

    picked = stream(settings.seed, "kernel scenes", "photos").permutation(len(files))[:SCENES]
    scenes, _ = _sharp([files[i] for i in picked], scale)
    about = {
        **asdict(settings),
        "made_of": len(seen),
        "photos": len(files) - len(broken_photos(report.records)),
        "kernels": zoo.SHARES,
        "made_with": versions(),
    }
    covariance = scene_covariance(scenes, binned(kernels[:1]).shape[-1])
    weights = train(seen, kernels, covariance, scale=scale, about=about, settings=settings, say=say)
    with locked(job):
        weights.save(out)
    return report


def check(src: Path, out: Path, settings: TrainSettings) -> None:
    """Refuse what cannot become weights before anything is made.

    Raises:
        UserError: the place of the output, or too few examples.
    """
    if out.suffix.lower() != ".npz":
        raise UserError(out, "weights are written as .npz", "end it in .npz", exit_code=EXIT_USAGE)
    if settings.examples < FEWEST:
        problem = f"{settings.examples} examples are too few"
        raise UserError("`examples`", problem, f"give {FEWEST} or more", exit_code=EXIT_USAGE)
    refuse_inside(job_folder(out), src)


def _chunks(files: Sequence[Path], settings: TrainSettings) -> list[Chunk]:
    made = []
    for number in range(-(-settings.examples // CHUNK)):
        rng = stream(settings.seed, f"kernel chunk {number}", "photos")
        picked = rng.permutation(len(files))[:PHOTOS]
        made.append(Chunk(f"{number:05d}", number, tuple(files[i] for i in picked)))
    return made


def make_chunk(chunk: Chunk, job: Path, scale: int, settings: TrainSettings) -> PairRecord:
    """Examples of one chunk: the work of one item."""
    photos, broken = _sharp(chunk.photos, scale)
    if not photos:
        reason = "none of its photos can be read and is large enough"
        return PairRecord(chunk.key, "rejected", reason, scale=scale, detail={"broken": broken})
    examples = [example(settings.seed, chunk.number * CHUNK + i, photos, scale) for i in range(CHUNK)]
    arrays = {
        "seen": np.stack([one.seen for one in examples]),
        "kernels": np.stack([one.kernel for one in examples]).astype(np.float32),
    }
    record = PairRecord(chunk.key, "ok", scale=scale, how="kernel examples", detail={"broken": broken})
    return with_arrays(job, record, EXAMPLE_FILES, arrays)


def _gathered(
    job: Path, records: Sequence[PairRecord]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    seen, kernels = [], []
    for record in records:
        with np.load(arrays_file(job, record, EXAMPLE_FILES)) as chunk:
            seen.append(chunk["seen"])
            kernels.append(chunk["kernels"])
    if not seen:
        return np.zeros((0, 0), np.float32), np.zeros((0, 1, 1), np.float32)
    return np.concatenate(seen), np.concatenate(kernels)


def _sharp(files: Sequence[Path], scale: int) -> tuple[list[npt.NDArray[np.float32]], list[str]]:
    """Sharp versions, large enough, of the photos that can be read; a line for each of the others."""
    photos: list[npt.NDArray[np.float32]] = []
    broken: list[str] = []
    for file in files:
        try:
            grey = grey_of(read(file).pixels)
        except UserError as error:
            broken.append(str(error))
        else:
            photos += [one for one in sharp(grey) if usable(one, scale)]
    return photos, broken


def broken_photos(records: Sequence[PairRecord]) -> list[str]:
    """A line for each photo that could not be read, once."""
    return sorted({line for record in records for line in record.detail.get("broken", ())})

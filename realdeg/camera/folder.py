"""The job of `realdeg calibrate`: a camera measured from registered pairs, as a recipe with its own pools.

The camera's folder holds kernels.npz, noise.npz, camera.toml (the recipe) and camera.json (all figures).
Below measured/ lie the job's state, a manifest with a row for each pair, and what was found in each; the rest
is made of that at the end, and it may be deleted.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

import numpy as np

from realdeg.camera.camera import Measured, camera_of, measure
from realdeg.camera.pair_noise import PairNoise
from realdeg.camera.settings import CalibrateSettings
from realdeg.errors import UserError
from realdeg.jobs import Ended, JobReport, Running, run_job
from realdeg.kernels.folder import Pair, find_pairs, read_pair, record_of, too_uncertain
from realdeg.layout import refuse_inside
from realdeg.pools.found import KERNEL_FILES, NOISE_FILES, arrays_file, told, with_arrays
from realdeg.records import PairRecord
from realdeg.settings import first_names, write_run

MEASURED = "measured"


def calibrate(
    dataset: Path, out: Path, settings: CalibrateSettings, *, running: Running = Running()
) -> JobReport:
    """Measure the camera that took the LR photos of a dataset.

    Args:
        dataset: folder with manifest.csv, of registered pairs.
        out: receives the camera.
        settings: scale, which pairs, size of what is measured.
        running: limit, workers, overwriting, when to give up, progress.

    Raises:
        UserError: no dataset, no such pair in it, or `out` cannot be used.
    """
    refuse_inside(out, dataset)
    pairs = chosen(dataset, settings)
    job = out / MEASURED

    def also(ended: Ended) -> None:
        write_run(job, "realdeg calibrate", {"dataset": dataset, **asdict(settings)})
        done = [record for record in ended.records if record.ok]
        if ended.whole and done:
            measured = [_of_file(job, record) for record in done]
            refused = {record.key: record.reason for record in ended.records if not record.ok}
            camera_of(out.name, measured, refused, settings).save(out)

    return run_job(
        partial(measure_pair, job=job, settings=settings),
        pairs,
        job,
        settings={"how": "calibration", **first_names(settings)},
        also=also,
        running=running,
    )


def chosen(dataset: Path, settings: CalibrateSettings) -> list[Pair]:
    """The camera's pairs.

    Raises:
        UserError: no dataset, no pair of this scale, or none whose key fits the pattern.
    """
    pairs = find_pairs(dataset, settings.scale)
    found = [pair for pair in pairs if fnmatchcase(pair.key, settings.camera)]
    if not found:
        problem = f"none of its {len(pairs)} pairs is called {settings.camera}"
        raise UserError(dataset, problem, f"keys are like {pairs[0].key}")
    return found


def measure_pair(pair: Pair, job: Path, settings: CalibrateSettings) -> PairRecord:
    """Kernels, noise and tone of one pair: the work of one item."""
    record = record_of(pair, settings.scale)
    if refused := too_uncertain(pair, settings.max_error):
        return replace(record, reason=told(pair.lr, refused))
    found = measure(*read_pair(pair, settings.scale), record, settings)
    if not isinstance(found, Measured):
        return found
    record = with_arrays(job, found.record, KERNEL_FILES, found.kernels)
    arrays = {name: getattr(found.noise, name) for name in PairNoise.__dataclass_fields__}
    return with_arrays(job, record, NOISE_FILES, arrays)


def _of_file(job: Path, record: PairRecord) -> Measured:
    """What an item has found."""
    with np.load(arrays_file(job, record, NOISE_FILES)) as file:
        noise = PairNoise(**{name: file[name] for name in PairNoise.__dataclass_fields__})
    return Measured(record, np.load(arrays_file(job, record, KERNEL_FILES)), noise)

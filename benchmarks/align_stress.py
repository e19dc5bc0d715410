"""Registration on kinds of pairs that plain simulations do not have, with exact truth for each colour.

    python benchmarks/align_stress.py --photos FOLDER [FOLDER ...] [--kinds K ...] [--seeds N] [--mask] [-v]

Per kind: how many pairs are kept, the stated error, the true one for red, green and blue (95th percentile
over a 24 x 24 grid of the pair's field, LR px; with --mask where the pair is valid), and their ratio. At
the end what is asked of a stated error, and of what is kept and refused.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np
from simulated_pairs import located
from stress_pairs import BAD, GOOD, HR_HW, Case, Pair, photos_of, simulate

from realdeg.align.crop import common_field
from realdeg.align.finished import Finished, finish
from realdeg.align.pair import Registration, register
from realdeg.align.settings import AlignSettings

SAMPLE = Path(__file__).parents[1] / "data" / "sample" / "clean"
GRID = 24
AGAIN = 6
WITHIN = 1.5
OPTIMISTIC = 2.0
CHANNELS = ("r", "g", "b")
MAP = "map"
FIELDS = (
    *("kind", "scale", "seed", "photo", "kept", "reason", "stated", "stated_r", "stated_g", "stated_b"),
    *("r", "g", "b", "found_r", "found_g", "found_b", "residual", "field", "rectangle", "valid"),
    *("changed_masked", "psf", "seconds"),
)


@dataclass(frozen=True)
class OneColour:
    """A pair as `simulated_pairs.located` looks at it, in one colour."""

    pair: Pair
    channel: int

    @cached_property
    def hr_green(self) -> np.ndarray:
        """(H, W) float64 of the colour."""
        return self.pair.hr[..., self.channel].astype(np.float64)

    def truth(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) HR px of LR px."""
        return self.pair.truth(points, self.channel)


@dataclass(frozen=True)
class MainTruth:
    """The true map, as `common_field` asks for one."""

    pair: Pair

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) HR px of LR px."""
        return self.pair.main_truth(points)

    def ahead(self, points: np.ndarray) -> np.ndarray:
        """(...,) positive: all of it is in front of the camera."""
        return np.ones(points.shape[:-1])


def run(case: Case, settings: AlignSettings, again: bool) -> dict:
    """Simulate a pair, register it, compare what is stated with the truth.

    Args:
        case: the pair.
        settings: of registration.
        again: find patches of the finished pair in HR again, not only ask the map.
    """
    cv2.setNumThreads(1)
    pair = simulate(case)
    row = dict.fromkeys(FIELDS, np.nan) | {
        "kind": case.kind,
        "scale": case.scale,
        "seed": case.seed,
        "photo": case.photo.name,
        "reason": "",
    }
    started = time.process_time()
    try:
        found = register(pair.lr, pair.hr, settings)
        made = finish(pair.lr, pair.hr, found, settings) if isinstance(found, Registration) else None
    except Exception as problem:  # one pair that breaks it is a finding, not an end
        return row | {"reason": f"CRASHED: {problem!r}", "kept": False}
    row["seconds"] = time.process_time() - started
    if made is not None:
        row["reason"] = made.refused.reason if made.refused else ""
        row |= scored(pair, made, again)
    else:
        row["reason"] = found.reason
    return row | {"kept": not row["reason"]}


def scored(pair: Pair, made: Finished, again: bool) -> dict:
    """What is stated of a finished pair, and what is true."""
    found = made.found
    box = found.field
    valid = np.ones((box.height, box.width), bool) if made.valid is None else made.valid > 0
    points = grid(box, valid, GRID)
    row: dict = {"stated": found.error, "psf": found.psf.sigma, "valid": float(valid.mean())}
    row["residual"] = found.residual.p95 if found.residual else np.nan
    for channel, name in enumerate(CHANNELS):
        row[f"stated_{name}"] = stated(found, channel)
        if not len(points) or pair.case.kind == "mirrored":
            continue
        off = pair.error(partial(delivered, found, channel=channel), points, channel)
        row[name] = float(np.percentile(np.hypot(*off.T), 95))
        if again:
            image = np.repeat(made.hr[..., channel : channel + 1], 3, axis=-1)
            off = located(OneColour(pair, channel), image, box, found.scale, grid(box, valid, AGAIN))
            known = np.hypot(*off[np.isfinite(off).all(1)].T)
            row[f"found_{name}"] = float(np.percentile(known, 95)) if len(known) else np.nan
    area = box.width * box.height
    row["field"] = area / pair.seen_by_both().sum()
    largest = common_field(pair.lr.shape[:2], pair.hr.shape[:2], MainTruth(pair))
    row["rectangle"] = area / (largest.width * largest.height)
    changed = pair.changed[box.slices]
    if changed.any():
        row["changed_masked"] = float((~valid)[changed].mean())
    return row


def grid(box, valid: np.ndarray, side: int) -> np.ndarray:
    """(N, 2) LR points over a box, where it is valid."""
    x, y = np.linspace(0, box.width - 1, side), np.linspace(0, box.height - 1, side)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    there = np.rint(points).astype(int)
    return points[valid[there[:, 1], there[:, 0]]] + [box.x, box.y]


def delivered(found: Registration, points: np.ndarray, channel: int) -> np.ndarray:
    """(N, 2) HR px from which the delivered pair takes a colour at LR points."""
    maps = found.lateral.maps(found.hr_from_lr)
    return maps[channel % len(maps)](points)


def stated(found: Registration, channel: int) -> float:
    """Stated error of one colour."""
    return found.channel_errors[channel]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--photos", type=Path, nargs="+", default=[SAMPLE], help="folders (or files) of sharp photos"
    )
    parser.add_argument("--limit", type=int, default=16, help="photos")
    parser.add_argument(
        "--least", type=int, default=950, help="leave out photos whose shorter side has fewer px"
    )
    parser.add_argument("--kinds", nargs="+", default=["all"], help="kinds, or: all, good, bad")
    parser.add_argument("--scales", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--first-seed", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=4, help="pairs of each kind and scale")
    parser.add_argument("--size", type=int, nargs=2, default=HR_HW, metavar=("H", "W"), help="HR px at most")
    parser.add_argument("--mask", action="store_true", help="let pairs be masked instead of refused")
    parser.add_argument(
        "--located", action="store_true", help="find patches of the finished pair in HR again (slow)"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--csv", type=Path, help="write a row for each pair")
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    photos = photos_of(options.photos, options.least)[: options.limit]
    if not photos:
        parser.error(f"no photo of at least {options.least} px a side")
    kinds = [
        k for name in options.kinds for k in {"all": GOOD + BAD, "good": GOOD, "bad": BAD}.get(name, (name,))
    ]
    for kind in kinds:
        if kind not in GOOD + BAD:
            parser.error(f"no kind {kind!r}; there are {', '.join(GOOD + BAD)}")
    cases = [
        Case(
            photos[(seed + k) % len(photos)],
            photos[(seed + k + 1) % len(photos)],
            scale,
            kind,
            seed,
            tuple(options.size),
        )
        for k, kind in enumerate(GOOD + BAD)  # a kind has its photos whichever others are asked for
        if kind in kinds
        for scale in options.scales
        for seed in range(options.first_seed, options.first_seed + options.seeds)
    ]
    rows = []
    by_scale = [AlignSettings(scale=case.scale, mask=options.mask) for case in cases]
    with ProcessPoolExecutor(options.workers) as pool:
        for row in pool.map(run, cases, by_scale, repeat(options.located)):
            rows.append(row)
            if options.verbose:
                print(line(row), file=sys.stderr, flush=True)
    if options.csv:
        with options.csv.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, FIELDS)
            writer.writeheader()
            writer.writerows(rows)
    print(
        f"{len(photos)} photos, scales {options.scales}, seeds {options.first_seed} to "
        f"{options.first_seed + options.seeds - 1}{', --mask' if options.mask else ''}\n"
    )
    print(table(rows))
    print()
    print(goals(rows))
    print()
    print(reasons(rows))


def line(row: dict) -> str:
    """One pair."""
    return (
        f"{row['kind']:14} x{row['scale']} {row['seed']} {row['photo'][:12]:12} stated "
        f"{' '.join(f'{row[name]:.3f}' for name in ('stated_r', 'stated_g', 'stated_b'))} true "
        f"{' '.join(f'{row[name]:.3f}' for name in CHANNELS)} again "
        f"{' '.join(f'{row[name]:.3f}' for name in ('found_r', 'found_g', 'found_b'))} field "
        f"{row['rectangle']:.2f} {row['seconds']:.1f} s  {row['reason'] or 'kept'}"
    )


def ratio(row: dict, name: str) -> float:
    """Stated over true error of a colour; of the map, which is green's."""
    return row["stated"] / row["g"] if name == MAP else row[f"stated_{name}"] / row[name]


def table(rows: list[dict]) -> str:
    """Per kind; ratios are those of kept pairs."""
    head = (
        "kind | pairs | kept | stated | r | g | b | worst g | worst of r, b | stated, map / true g: "
        "least, median, most | same, worse of r and b | field | changed, masked | CPU s"
    )
    lines = [f"| {head} |", "|" + "---|" * (head.count("|") + 1)]
    for kind in dict.fromkeys(r["kind"] for r in rows):
        mine = [r for r in rows if r["kind"] == kind]
        kept = [r for r in mine if r["kept"]]

        def middle(name: str, over: list[dict]) -> str:
            values = [r[name] for r in over if np.isfinite(r[name])]
            return f"{np.median(values):.3f}" if values else ""

        def spread(names: tuple[str, ...], over: list[dict]) -> str:
            values = [min(ratio(r, n) for n in names) for r in over]
            values = [v for v in values if np.isfinite(v)]
            return f"{min(values):.2f}, {np.median(values):.2f}, {max(values):.2f}" if values else ""

        cells = [
            kind,
            len(mine),
            len(kept),
            *(middle(name, kept) for name in ("stated", *CHANNELS)),
            f"{max((r['g'] for r in kept), default=np.nan):.3f}",
            f"{max((max(r['r'], r['b']) for r in kept), default=np.nan):.3f}",
            spread((MAP,), kept),
            spread(("r", "b"), kept),
            middle("field", mine)[:-1],
            middle("changed_masked", kept)[:-1],
            f"{np.mean([r['seconds'] for r in mine]):.1f}",
        ]
        lines.append(f"| {' | '.join(str(cell).replace('nan', '') for cell in cells)} |")
    return "\n".join(lines)


def goals(rows: list[dict]) -> str:
    """What is asked: of stated errors, by colour; of kept and refused; of the field."""
    good = [r for r in rows if r["kind"] in GOOD]
    bad = [r for r in rows if r["kind"] in BAD]
    head = (
        f"stated / true | colour | pairs | not stated | within {WITHIN}x both ways "
        f"| below 1/{OPTIMISTIC:g} | below 1/{WITHIN} | above {WITHIN} | least | median | most"
    )
    lines = [f"| {head} |", "|" + "---|" * (head.count("|") + 1)]
    for what, over in (
        ("good, kept", [r for r in good if r["kept"]]),
        ("good, registered", good),
        ("bad, kept", [r for r in bad if r["kept"]]),
    ):
        for name in (MAP, *CHANNELS):
            values = np.array([ratio(r, name) for r in over if np.isfinite(r["g"])])
            unstated = int(np.isnan(values).sum())
            values = values[np.isfinite(values)]
            if not len(values):
                continue
            cells = (
                what,
                name,
                len(values),
                unstated,
                f"{np.mean((values < WITHIN) & (values > 1 / WITHIN)):.0%}",
                np.sum(values < 1 / OPTIMISTIC),
                f"{np.mean(values <= 1 / WITHIN):.0%}",
                f"{np.mean(values >= WITHIN):.0%}",
                *(f"{v:.2f}" for v in (values.min(), np.median(values), values.max())),
            )
            lines.append(f"| {' | '.join(map(str, cells))} |")
    lines.append("")
    for what, over in (("good", good), ("bad", bad)):
        if over:
            lines.append(f"{what} kept: {sum(r['kept'] for r in over)} of {len(over)}")
    if crashed := sum(r["reason"].startswith("CRASHED") for r in rows):
        lines.append(f"CRASHED: {crashed} of {len(rows)}")
    for name, of in (("field", "what both photos see"), ("rectangle", "the largest rectangle in that")):
        shares = [r[name] for r in good if np.isfinite(r[name])]
        if shares:
            lines.append(
                f"field of good pairs, share of {of}: median {np.median(shares):.3f}, least {min(shares):.3f}"
            )
    return "\n".join(lines)


def reasons(rows: list[dict]) -> str:
    """Why pairs of each kind were refused."""
    lines = []
    for kind in dict.fromkeys(r["kind"] for r in rows):
        counts = Counter(r["reason"] for r in rows if r["kind"] == kind and r["reason"])
        if counts:
            lines.append(f"{kind}: " + "; ".join(f"{n} x {reason}" for reason, n in counts.most_common()))
    return "\n".join(lines)


if __name__ == "__main__":
    main()

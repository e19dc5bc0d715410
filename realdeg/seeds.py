"""Random numbers that depend on what is drawn, never on when, where or in which order."""

from __future__ import annotations

import hashlib

import numpy as np


def seed_of(run_seed: int, key: str, operation: str) -> int:
    """128-bit Philox key of one draw, from the run's seed, the image's key and the operation's name."""
    text = f"{run_seed}\x1f{key}\x1f{operation}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little")


def stream(run_seed: int, key: str, operation: str) -> np.random.Generator:
    """Independent Philox generator for one operation on one image.

    Args:
        run_seed: seed of the whole job.
        key: the image's key (relative path without suffix, NFC), so that other files, their order
            and the number of workers cannot change the draw.
        operation: name of the operation, e.g. "noise".
    """
    return np.random.Generator(np.random.Philox(key=seed_of(run_seed, key, operation)))

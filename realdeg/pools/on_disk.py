"""A pool by its place on disk: what worker processes are told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from realdeg.errors import UserError
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool
from realdeg.records import fingerprint

Pool = TypeVar("Pool", KernelPool, NoisePool)


@dataclass(frozen=True)
class PoolFile(Generic[Pool]):
    """A pool by its place on disk, which is all that is sent to worker processes with each image.

    Each process reads the pool once; sending 300 noise patches along took 100 times as long as the work.
    """

    kind: type[Pool]
    path: Path
    arguments: tuple[int, ...]
    stamp: str

    @classmethod
    def read(cls, kind: type[Pool], path: Path, *arguments: int) -> tuple[PoolFile[Pool], Pool]:
        """Read and check a pool, and keep it in this process."""
        pool = kind.read(path, *arguments)
        # Injection by brightness depends on what a noise pool tells of its patches, too.
        told = dict(pool.about) if isinstance(pool, NoisePool) else None
        file = cls(kind, path, arguments, fingerprint(pool.names, pool.digest, told))
        _held[kind.__name__] = (file, pool)
        return file, pool

    def pool(self) -> Pool:
        """The pool that was read.

        Raises:
            UserError: its files have changed since.
        """
        held, pool = _held.get(self.kind.__name__, (None, None))
        if held != self:
            now, pool = self.read(self.kind, self.path, *self.arguments)
            if now != self:
                raise UserError(self.path, "was changed while the job was running", "run with `overwrite`")
        return cast(Pool, pool)


_held: dict[str, tuple[PoolFile[Any], Any]] = {}
"""The last pool of each kind that this process has read."""

"""`realdeg.KernelPool` and `realdeg.NoisePool`: what degradations draw from."""

from __future__ import annotations

from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool

__all__ = ["KernelPool", "NoisePool"]

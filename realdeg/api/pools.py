"""`realdeg.KernelPool` and `realdeg.NoisePool`: what degradations draw from."""

from __future__ import annotations

from realdeg.pools.pools import KernelPool, NoisePool

__all__ = ["KernelPool", "NoisePool"]

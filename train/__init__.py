"""What is learned, and the programs that learn it (`python -m train.NAME`); `train.load` gives a model."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from train.restore.loaded import Model as Model
    from train.restore.loaded import load as load

__all__ = ["Model", "load"]


if not TYPE_CHECKING:  # importing this package loads nothing; torch comes with the first model

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module 'train' has no attribute {name!r}")
        found = getattr(importlib.import_module("train.restore.loaded"), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

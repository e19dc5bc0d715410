"""What a photo in hand can fail by, as a line that names it: memory, or that a model cannot use it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from realdeg.errors import EXIT_MISSING_RESOURCE, Unfit, UserError


@contextlib.contextmanager
def enough_memory(subject: str, remedy: str) -> Iterator[None]:
    """Turn what torch and Python say when memory is out, and what has no name yet, into one line.

    Args:
        subject: what was being done.
        remedy: which setting to lower.

    Raises:
        UserError: in place of their errors.
    """
    try:
        yield
    except Unfit as error:
        raise error.named_as(subject) from error
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise _out(subject, remedy) from error
    except RuntimeError as error:
        if "not enough memory" not in str(error) and "can't allocate memory" not in str(error):
            raise
        raise _out(subject, remedy) from error  # torch's allocator for the CPU


def _out(subject: str, remedy: str) -> UserError:
    return UserError(subject, "ran out of memory", remedy, exit_code=EXIT_MISSING_RESOURCE)

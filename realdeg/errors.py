"""The one exception that a user is meant to read."""

from __future__ import annotations

import os

EXIT_OK = 0
EXIT_SOME_FAILED = 1
EXIT_USAGE = 2
EXIT_MISSING_RESOURCE = 3
EXIT_INTERRUPTED = 130


class UserError(Exception):
    """Something the user can mend: what it concerns, what is wrong, what to do.

    Args:
        subject: file, folder, option or column that the message is about.
        problem: what is wrong, in a few words, without a final full stop.
        remedy: what to do about it; may be empty where the problem says it all.
        exit_code: status of a command that ends with this error (`EXIT_...` above).

    `str(error)` is one line: `subject: problem; remedy`.
    """

    def __init__(
        self,
        subject: str | os.PathLike[str],
        problem: str,
        remedy: str = "",
        *,
        exit_code: int = EXIT_SOME_FAILED,
    ) -> None:
        super().__init__(os.fspath(subject), problem, remedy)
        self.subject = os.fspath(subject)
        self.problem = problem
        self.remedy = remedy
        self.exit_code = exit_code

    def __str__(self) -> str:
        text = f"{self.subject}: {self.problem}"
        if self.remedy:
            text += f"; {self.remedy}"
        return " ".join(text.split())

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword arguments are lost by the default pickling of exceptions; workers send these back.
        return (_rebuild, (type(self), self.subject, self.problem, self.remedy, self.exit_code))


class DiskFull(UserError):
    """A file could not be written whole since its disk is full, or its owner may not use more of it."""


class Unfit(UserError):
    """About a thing in hand, a photo or a reference, whose file only the caller can name: `named_as` does."""

    def named_as(self, subject: str | os.PathLike[str]) -> UserError:
        """The same about a file."""
        return UserError(subject, self.problem, self.remedy, exit_code=self.exit_code)


def _rebuild(kind: type[UserError], subject: str, problem: str, remedy: str, exit_code: int) -> UserError:
    return kind(subject, problem, remedy, exit_code=exit_code)


class Interrupted(Exception):
    """The user asked to stop (Ctrl-C or SIGTERM); what was finished has been saved; perhaps where."""

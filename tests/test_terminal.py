"""Where a bar is drawn and where plain lines are written; no library's opinion, only what terminals are."""

from __future__ import annotations

import contextlib
import io
import os

import pytest

from realdeg.terminal import is_rich_terminal, write_line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        super().isatty()  # which fails where the stream is closed
        return True


def test_a_terminal_is_one(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    assert is_rich_terminal(Terminal())
    assert not is_rich_terminal(io.StringIO())


@pytest.mark.parametrize("name", ["dumb", "unknown", "DUMB"])
def test_a_dumb_terminal_gets_lines(monkeypatch, name):
    monkeypatch.setenv("TERM", name)
    assert not is_rich_terminal(Terminal())


def test_a_terminal_that_says_nothing_gets_lines_but_on_windows(monkeypatch):
    monkeypatch.delenv("TERM", raising=False)
    assert is_rich_terminal(Terminal()) == (os.name == "nt")


def test_a_closed_stream_gets_nothing_and_stops_nothing(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    closed = Terminal()
    closed.close()
    assert not is_rich_terminal(closed)
    assert not is_rich_terminal(None)
    assert not write_line(closed, "text")
    assert not write_line(None, "text")


def test_a_reader_that_left_stops_nothing():
    read, write = os.pipe()
    os.close(read)
    stream = os.fdopen(write, "w")
    assert not write_line(stream, "text")
    with contextlib.suppress(BrokenPipeError):
        stream.close()


def test_a_line_goes_out_at_once():
    stream = io.StringIO()
    assert write_line(stream, "text")
    assert stream.getvalue() == "text\n"

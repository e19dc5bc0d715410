"""What is printed on descriptor 2 while a decoder works: heard, or kept off the terminal, and never lost."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from realdeg.io.complaints import heard, quiet


def test_lines_of_a_library_are_heard_and_not_seen(capfd):
    with heard() as lines:
        os.write(2, b"photo.dng: data corrupted at 123\n\n  and   more\n")
        assert lines == []
    assert lines == ["photo.dng: data corrupted at 123", "and more"]
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_an_exception_leaves_descriptor_2_as_it_was(capfd):
    said: list[list[str]] = []

    def fail() -> None:
        with heard() as lines:
            said.append(lines)
            os.write(2, b"said before\n")
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fail()
    with pytest.raises(ValueError, match="y"), quiet():
        raise ValueError("y")
    assert said == [["said before"]]
    os.write(2, b"seen\n")
    assert capfd.readouterr().err == "seen\n"


def test_quiet_drops_what_decoders_print_and_passes_on_the_rest(capfd):
    with quiet():
        os.write(2, b"libpng warning: IDAT: Too much image data\nsomebody else's line\n")
    assert capfd.readouterr().err == "somebody else's line\n"


def test_no_other_decoder_is_at_work_while_one_is_heard():
    inside, most = [0], [0]
    lock = threading.Lock()

    def work(alone: bool) -> None:
        for _ in range(50):
            with heard() if alone else quiet():
                with lock:
                    inside[0] += 100 if alone else 1
                    most[0] = max(most[0], inside[0])
                with lock:
                    inside[0] -= 100 if alone else 1

    threads = [threading.Thread(target=work, args=(i < 2,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most[0] == 100  # never two that are heard, nor one beside a quiet one
    assert inside == [0]


def test_each_hears_its_own(capfd):
    found = {}

    def work(name: str) -> None:
        for i in range(30):
            with heard() as lines:
                os.write(2, f"{name} {i}\n".encode())
            found.setdefault(name, []).extend(lines)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == {name: [f"{name} {i}" for i in range(30)] for name in "abc"}
    assert capfd.readouterr().err == ""


def test_descriptors_are_given_back():
    def used() -> int:
        return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH112, PTH208

    before = used()
    for _ in range(20):
        with heard(), pytest.raises(RuntimeError):
            raise RuntimeError
        with quiet():
            pass
    assert used() == before


def test_without_descriptor_2_nothing_fails():
    program = (
        "import os; os.close(2)\n"
        "from realdeg.io.complaints import heard, quiet\n"
        "with heard() as lines: pass\n"
        "with quiet(): pass\n"
        "print(lines)"
    )
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "[]\n"

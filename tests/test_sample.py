"""The bundled sample: every file is listed with its hash and licence, credited, and the whole is small."""

import csv
import hashlib


def test_every_file_is_listed_credited_and_as_it_was(sample):
    with (sample / "MANIFEST.csv").open(newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    files = {
        p.relative_to(sample).as_posix(): p for p in sample.rglob("*") if p.is_file() and p.parent != sample
    }
    assert set(rows) == set(files)
    credits = (sample / "CREDITS.md").read_text()
    for name, path in files.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == rows[name]["sha256"]
        assert rows[name]["licence"].startswith(("CC", "MIT"))
        assert path.name in credits
    assert sum(path.stat().st_size for path in files.values()) < 4_000_000

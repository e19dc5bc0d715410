"""`python -m train.export`."""

from realdeg.cli.main import run
from train.export.command import main

if __name__ == "__main__":
    run(main, "python -m train.export")

"""`python -m train.evaluate`."""

from realdeg.cli.main import run
from train.evaluate.command import main

if __name__ == "__main__":
    run(main, "python -m train.evaluate")

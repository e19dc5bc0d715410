"""`python -m train.sample`."""

from realdeg.cli.main import run
from train.sample.command import main

if __name__ == "__main__":
    run(main, "python -m train.sample")

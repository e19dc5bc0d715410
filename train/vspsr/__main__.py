"""`python -m train.vspsr`."""

from realdeg.cli.main import run
from train.vspsr.command import main

if __name__ == "__main__":
    run(main, "python -m train.vspsr")

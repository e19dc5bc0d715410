"""`python -m train.d2c`."""

from realdeg.cli.main import run
from train.d2c.command import main

if __name__ == "__main__":
    run(main, "python -m train.d2c")

"""`python -m train.upscale`."""

from realdeg.cli.main import run
from train.upscale.command import main

if __name__ == "__main__":
    run(main, "python -m train.upscale")

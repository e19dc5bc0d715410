"""`python -m train.refvae`."""

from realdeg.cli.main import run
from train.refvae.command import main

if __name__ == "__main__":
    run(main, "python -m train.refvae")

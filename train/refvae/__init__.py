"""RefVAE: `python -m train.refvae`."""

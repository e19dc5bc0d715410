"""VSpSR: `python -m train.vspsr`."""

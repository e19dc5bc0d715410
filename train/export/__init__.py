"""A trained network for other programs: `python -m train.export`."""

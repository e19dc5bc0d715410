"""Many explanations of a photo: `python -m train.sample`."""

"""Photos enlarged by a trained network: `python -m train.upscale`."""

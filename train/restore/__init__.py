"""Using trained networks: checkpoints, tiled inference."""

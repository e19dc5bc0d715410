"""The loop and the run around it: settings, steps, checkpoints in time, ranks, logs."""

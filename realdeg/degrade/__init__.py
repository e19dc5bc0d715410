"""Step 2: apply a camera's degradation to clean images."""

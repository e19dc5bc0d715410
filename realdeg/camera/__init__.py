"""A camera's degradation measured from registered pairs, as a recipe."""

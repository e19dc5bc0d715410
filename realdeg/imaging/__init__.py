"""Image formation on arrays: no files, no hidden randomness, one convention each."""

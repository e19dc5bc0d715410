"""Noise taken from photos: where it is alone, which of it is a camera's, and its pool."""

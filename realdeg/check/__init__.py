"""Pairs of others, looked at: where they are off, what their colours do, and which are there twice."""

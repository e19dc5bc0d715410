"""Datasets on disk: split, cut into tiles, adopt from elsewhere."""

"""Workbench for real-world image super-resolution data: align, degrade, train."""

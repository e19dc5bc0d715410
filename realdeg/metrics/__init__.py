"""Figures of merit, each with its convention and its source."""

"""Pools of kernels and of noise: what they hold, their files, and what an item of a job found."""

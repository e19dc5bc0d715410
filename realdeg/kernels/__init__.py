"""Blur kernels: estimated from photos, by KernelGAN, and from pairs."""

"""Recipes that come with realdeg, by name; their files lie in `shipped`. Importing this costs nothing."""

PRESETS = ("realsr", "samsung", "bsrgan", "bsrgan_plus", "realesrgan", "mild", "bicubic", "bicubic_noise")

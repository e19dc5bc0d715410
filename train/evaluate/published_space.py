"""Published figures of models of the SR space on DIV2K's 100 validation images, for comparison.

All are of ten samples an image, LPIPS and diversity score by AlexNet, LR-PSNR against reduced HR: the
protocol of the NTIRE 2021 challenge "Learning the Super-Resolution Space" (Lugmayr et al., CVPR Workshops).
"""

from __future__ import annotations

from dataclasses import dataclass

CHALLENGE = "NTIRE 2021 challenge, as quoted by VSpSR's authors"
VSPSR = "VSpSR (CVPR Workshops 2021)"
REFVAE = "RefVAE (CVPR Workshops 2021)"
TOOLKIT = "NTIRE 2021 challenge, its baseline"


@dataclass(frozen=True)
class Published:
    """A row of a published table.

    Attributes:
        name: of the method or the team.
        scale: 4 or 8.
        lpips: mean over samples, lower is better; None where it is not printed.
        lr_psnr: mean over samples, dB; the challenge takes 45 dB and above as equal.
        diversity: score on LPIPS maps, 0 for a method that gives one image.
        source: where it is printed.
    """

    name: str
    scale: int
    lpips: float | None
    lr_psnr: float
    diversity: float
    source: str


ROWS = (
    Published("bicubic", 4, 0.409, 38.70, 0, VSPSR),
    Published("EDSR", 4, 0.257, 54.11, 0, VSPSR),
    Published("RCAN", 4, 0.254, 54.24, 0, VSPSR),
    Published("SRGAN", 4, 0.158, 35.49, 0, VSPSR),
    Published("ESRGAN", 4, 0.115, 42.61, 0, VSPSR),
    Published("VSpSR", 4, 0.277, 47.15, 16.120, VSPSR),
    Published("njtech&seu", 4, 0.149, 46.74, 26.924, CHALLENGE),
    Published("Deepest", 4, 0.117, 50.54, 26.041, CHALLENGE),
    Published("SRFlow", 4, None, 49.91, 25.36, TOOLKIT),
    Published("BeWater", 4, 0.137, 49.59, 23.948, CHALLENGE),
    Published("CIPLAB", 4, 0.121, 50.70, 23.091, CHALLENGE),
    Published("SR_DL", 4, 0.234, 39.80, 20.508, CHALLENGE),  # RefVAE's authors, we believe
    Published("FutureReference", 4, 0.165, 37.51, 19.636, CHALLENGE),
    Published("VSpSR (challenge)", 4, 0.273, 47.20, 16.450, CHALLENGE),
    Published("SSS", 4, 0.110, 44.70, 13.285, CHALLENGE),
    Published("nanbeihuishi", 4, 0.161, 50.46, 12.447, CHALLENGE),
    Published("SYSU-FVL", 4, 0.244, 49.33, 8.735, CHALLENGE),
    Published("svnit_ntnu", 4, 0.355, 27.52, 1.871, CHALLENGE),
    Published("bicubic", 8, 0.584, 37.16, 0, VSPSR),
    Published("RCAN", 8, 0.404, 48.65, 0, VSPSR),
    Published("VSpSR", 8, 0.508, 46.64, 13.708, VSPSR),
    Published("RefVAE, ten references", 8, 0.308, 44.17, 14.80, REFVAE),
    Published("RefVAE, random", 8, 0.321, 44.77, 14.91, REFVAE),
    Published("SRFlow (by RefVAE's authors)", 8, 0.328, 51.18, 10.07, REFVAE),
    Published("njtech&seu", 8, 0.366, 29.65, 28.193, CHALLENGE),
    Published("Deepest", 8, 0.259, 48.64, 26.941, CHALLENGE),
    Published("BeWater", 8, 0.297, 49.63, 23.700, CHALLENGE),
    Published("CIPLAB", 8, 0.266, 50.86, 23.320, CHALLENGE),
    Published("FutureReference", 8, 0.291, 36.51, 17.985, CHALLENGE),
    Published("SR_DL", 8, 0.311, 42.28, 14.817, CHALLENGE),
    Published("VSpSR (challenge)", 8, 0.496, 46.78, 14.287, CHALLENGE),
    Published("SSS", 8, 0.237, 37.43, 13.548, CHALLENGE),
    Published("SRFlow", 8, None, 50.0, 10.62, TOOLKIT),
    Published("SYSU-FVL", 8, 0.415, 47.27, 8.778, CHALLENGE),
    Published("svnit_ntnu", 8, 0.481, 25.55, 4.516, CHALLENGE),
)


def published(scale: int) -> list[Published]:
    """Rows of a scale, the most diverse first; none but for x4 and x8."""
    return sorted((row for row in ROWS if row.scale == scale), key=lambda row: -row.diversity)

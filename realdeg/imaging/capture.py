"""A camera simulator: photos of a known scene through a known map, lens, sensor and exposure.

The truth that registration is measured against: the scene is blurred and sampled in linear light at
the very points that the homography names, so `hr_from_lr` of two captures is known exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear


@dataclass(frozen=True)
class Camera:
    """How a simulated camera sees.

    Attributes:
        size_hw: size of its pictures.
        blur: standard deviation of lens and pixel blur together, px of the picture.
        exposure: gain on linear light.
        gamma: exponent on the encoded value (a tone curve); 1 = none.
        noise_8bit: standard deviation of the noise at mid-grey, 8-bit levels; half of its variance
            grows with the signal.
    """

    size_hw: tuple[int, int]
    blur: float = 0.5
    exposure: float = 1.0
    gamma: float = 1.0
    noise_8bit: float = 1.0


def capture(
    scene: npt.NDArray[np.uint8],
    scene_from_photo: npt.NDArray[np.float64],
    camera: Camera,
    rng: np.random.Generator,
) -> npt.NDArray[np.uint8]:
    """Photograph a plane scene.

    Args:
        scene: (H, W, 3) uint8 RGB, sRGB-encoded, finer than the photo's pixels.
        scene_from_photo: (3, 3) homography from photo pixels (x, y, centres on integers) to the scene's.
        camera: lens, sensor and exposure.
        rng: source of the noise.

    Returns:
        (h, w, 3) uint8 RGB photo; outside the scene its border is mirrored.
    """
    height, width = camera.size_hw
    middle = scene_from_photo @ np.array([(width - 1) / 2, (height - 1) / 2, 1.0])
    rows = scene_from_photo[:2, :2] * middle[2] - np.outer(middle[:2], scene_from_photo[2, :2])
    pitch = float(np.sqrt(abs(np.linalg.det(rows / middle[2] ** 2))))
    linear = srgb_to_linear(scene.astype(np.float32) / 255)
    linear = cv2.GaussianBlur(linear, (0, 0), max(camera.blur * pitch, 0.05))
    x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    w = scene_from_photo[2, 0] * x + scene_from_photo[2, 1] * y + scene_from_photo[2, 2]
    at_x = (scene_from_photo[0, 0] * x + scene_from_photo[0, 1] * y + scene_from_photo[0, 2]) / w
    at_y = (scene_from_photo[1, 0] * x + scene_from_photo[1, 1] * y + scene_from_photo[1, 2]) / w
    light = _bicubic(linear, at_x, at_y) * camera.exposure
    encoded = linear_to_srgb(np.clip(light, 0, 1).astype(np.float32)) ** np.float32(camera.gamma)
    variance = (camera.noise_8bit / 255) ** 2 * (0.5 + encoded)
    noisy = encoded + np.sqrt(variance) * rng.standard_normal(encoded.shape)
    result: npt.NDArray[np.uint8] = np.clip(np.rint(noisy * 255), 0, 255).astype(np.uint8)
    return result


def _bicubic(
    image: npt.NDArray[np.float32], x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Bicubic interpolation (a = -0.5) at exact positions; OpenCV rounds them to 1/32 px."""
    height, width = image.shape[:2]
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    weights_x, weights_y = _weights(x - left), _weights(y - top)
    total = np.zeros((*x.shape, image.shape[2]))
    for j in range(4):
        row = _mirror(top + j - 1, height)
        line = np.zeros_like(total)
        for i in range(4):
            line += weights_x[i][..., None] * image[row, _mirror(left + i - 1, width)]
        total += weights_y[j][..., None] * line
    return total


def _weights(t: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    a = -0.5
    near = [t, 1 - t]
    far = [1 + t, 2 - t]
    inner = [(a + 2) * d**3 - (a + 3) * d**2 + 1 for d in near]
    outer = [a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a for d in far]
    return [outer[0], inner[0], inner[1], outer[1]]


def _mirror(index: npt.NDArray[np.int_], size: int) -> npt.NDArray[np.int_]:
    period = np.mod(index, 2 * size)
    result: npt.NDArray[np.int_] = np.where(period < size, period, 2 * size - 1 - period)
    return result

"""A camera simulator: photos of a known scene through a known map, lens, sensor and exposure.

The truth that registration is measured against: the scene is blurred and sampled in linear light at
the very points that homography and lens name, so the map between two captures is known exactly
(`matching_points`).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear


@dataclass(frozen=True)
class CameraModel:
    """How a simulated camera sees.

    Attributes:
        size_hw: size of its pictures.
        blur: standard deviation of lens and pixel blur together, px of the picture.
        exposure: gain on linear light.
        gamma: exponent on the encoded value (a tone curve); 1 = none.
        noise_8bit: standard deviation of the noise at mid-grey, 8-bit levels; half of its variance
            grows with the signal.
        distortion: radial; where the ideal picture has a point p, seen from the centre, the photo has it
            at q with p = q (1 + distortion |q|^2), |q| = 1 at the corner.
        aspect, angle: ratio of the blur's axes, and the direction of the longer one, degrees.
        vignetting: share of the light that is lost at the corner.
        white_balance: gains of red, green and blue on linear light.
        jpeg: quality of a JPEG round trip; 0 = none.
    """

    size_hw: tuple[int, int]
    blur: float = 0.5
    exposure: float = 1.0
    gamma: float = 1.0
    noise_8bit: float = 1.0
    distortion: float = 0.0
    aspect: float = 1.0
    angle: float = 0.0
    vignetting: float = 0.0
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    jpeg: int = 0

    def ideal(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(..., 2) where photo points would lie without distortion."""
        centre, radius = self._frame
        q = (points - centre) / radius
        return centre + radius * q * (1 + self.distortion * (q * q).sum(-1, keepdims=True))

    def real(self, ideal: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Inverse of `ideal`, by Newton's method."""
        centre, radius = self._frame
        p = (ideal - centre) / radius
        length = np.linalg.norm(p, axis=-1, keepdims=True)
        q = length
        for _ in range(20):
            q = q - (q + self.distortion * q**3 - length) / (1 + 3 * self.distortion * q**2)
        return centre + radius * p * np.where(length > 1e-12, q / np.maximum(length, 1e-12), 1.0)

    @property
    def _frame(self) -> tuple[npt.NDArray[np.float64], float]:
        height, width = self.size_hw
        return np.array([(width - 1) / 2, (height - 1) / 2]), float(np.hypot(width, height)) / 2


def matching_points(
    lr_points: npt.NDArray[np.float64],
    scene_from_lr: npt.NDArray[np.float64],
    lr: CameraModel,
    scene_from_hr: npt.NDArray[np.float64],
    hr: CameraModel,
) -> npt.NDArray[np.float64]:
    """(..., 2) where points of one capture lie in another: the truth of their registration."""
    ideal = _project(np.linalg.inv(scene_from_hr) @ scene_from_lr, lr.ideal(lr_points))
    return hr.real(ideal)


def capture(
    scene: npt.NDArray[np.uint8],
    scene_from_photo: npt.NDArray[np.float64],
    camera: CameraModel,
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
    linear = _blurred(linear, camera, pitch)
    grid = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    points = np.stack(grid, axis=-1)
    at = _project(scene_from_photo, camera.ideal(points))
    light = _bicubic(linear, at[..., 0], at[..., 1]) * camera.exposure * np.array(camera.white_balance)
    if camera.vignetting:
        centre, radius = camera._frame
        distance2 = (((points - centre) / radius) ** 2).sum(-1, keepdims=True)
        light = light * (1 + (1 / np.sqrt(1 - camera.vignetting) - 1) * distance2) ** -2  # cos^4 law
    encoded = linear_to_srgb(np.clip(light, 0, 1).astype(np.float32)) ** np.float32(camera.gamma)
    variance = (camera.noise_8bit / 255) ** 2 * (0.5 + encoded)
    noisy = encoded + np.sqrt(variance) * rng.standard_normal(encoded.shape)
    result: npt.NDArray[np.uint8] = np.clip(np.rint(noisy * 255), 0, 255).astype(np.uint8)
    if camera.jpeg:
        _, data = cv2.imencode(".jpg", result[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, camera.jpeg])
        result = cv2.cvtColor(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB)
    return result


def _project(matrix: npt.NDArray[np.float64], points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    return mapped[..., :2] / mapped[..., 2:]


def _blurred(linear: npt.NDArray[np.float32], camera: CameraModel, pitch: float) -> npt.NDArray[np.float32]:
    sigma = max(camera.blur * pitch, 0.05)
    if camera.aspect == 1.0:
        return cv2.GaussianBlur(linear, (0, 0), sigma)
    angle, reach = np.radians(camera.angle), int(np.ceil(4 * sigma * camera.aspect))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    major, minor = sigma * np.sqrt(camera.aspect), sigma / np.sqrt(camera.aspect)
    kernel = np.exp(-0.5 * ((along / major) ** 2 + (across / minor) ** 2))
    return cv2.filter2D(linear, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)


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
    return np.where(period < size, period, 2 * size - 1 - period)

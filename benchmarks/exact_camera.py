"""A camera simulator whose pictures lie where they should to 0.001 px, each colour by its own map.

The scene is at least twice as fine as the photo. Blur and the prefilter of a quintic spline are one product
in the frequency domain, so a kernel may have any shape and any centre, and the spline is evaluated at the
exact points that plane, lens and colour name, in linear light. `python benchmarks/exact_camera.py` measures
by how much content is displaced, against pictures that are known in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import scipy.fft
from scipy.ndimage import map_coordinates

from realdeg.align.homography import Homography
from realdeg.imaging.capture import CameraModel
from realdeg.imaging.capture import capture as plain_capture
from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear

PAD = 64  # scene px, mirrored, around the scene
RED, GREEN, BLUE = range(3)


@dataclass(frozen=True)
class Spot:
    """One Gaussian of a kernel, photo px: its share, centre, two standard deviations, angle of the first."""

    share: float
    x: float
    y: float
    along: float
    across: float
    angle: float = 0.0


@dataclass(frozen=True)
class Psf:
    """A kernel made of Gaussians, moved so that its centroid is the origin: the truth is the centroid's."""

    spots: tuple[Spot, ...]

    @classmethod
    def gaussian(cls, sigma: float, aspect: float = 1.0, angle: float = 0.0) -> Psf:
        """One Gaussian with two axes."""
        return cls((Spot(1.0, 0.0, 0.0, sigma * aspect**0.5, sigma / aspect**0.5, angle),))

    @property
    def centroid(self) -> np.ndarray:
        """(x, y) before it is moved."""
        return sum(s.share * np.array([s.x, s.y]) for s in self.spots) / sum(s.share for s in self.spots)

    def scaled(self, factor: float) -> Psf:
        """The same kernel, `factor` times as large."""
        return Psf(
            tuple(
                Spot(s.share, *(factor * v for v in (s.x, s.y, s.along, s.across)), s.angle)
                for s in self.spots
            )
        )

    def transfer(self, fx: np.ndarray, fy: np.ndarray) -> np.ndarray:
        """Complex transfer function at frequencies in cycles per photo px."""
        total, middle = 0, self.centroid
        for s in self.spots:
            c, d = np.cos(np.radians(s.angle)), np.sin(np.radians(s.angle))
            exponent = (
                -2 * np.pi**2 * ((s.along * (c * fx + d * fy)) ** 2 + (s.across * (c * fy - d * fx)) ** 2)
            )
            if len(self.spots) == 1:
                return np.exp(exponent)
            turn = -2j * np.pi * (fx * (s.x - middle[0]) + fy * (s.y - middle[1]))
            total = total + s.share * np.exp(exponent + turn)
        return total / sum(s.share for s in self.spots)


@dataclass(frozen=True)
class Lens:
    """Where light of each colour falls.

    Attributes:
        size_hw: size of the photo.
        distortion: an ideal point p, seen from the centre, is photographed at q with
            p = q (1 + distortion |q|^2), |q| = 1 at the corner.
        lateral: (red, green, blue) by how much more of the scene is seen at the corner, photo px.
        cubic: share of `lateral` that grows with the cube of the distance; the rest is a scale.
    """

    size_hw: tuple[int, int]
    distortion: float = 0.0
    lateral: tuple[float, float, float] = (0.0, 0.0, 0.0)
    cubic: float = 0.0

    @property
    def centre(self) -> np.ndarray:
        """(x, y) of the optical axis: the photo's middle."""
        return (np.array(self.size_hw[::-1], float) - 1) / 2

    @property
    def radius(self) -> float:
        """Distance of the corner from the centre, px."""
        return float(np.hypot(*self.size_hw)) / 2

    def _terms(self, channel: int) -> tuple[float, float]:
        more = self.lateral[channel] / self.radius
        return 1 + more * (1 - self.cubic), self.distortion + more * self.cubic

    def ideal(self, points: np.ndarray, channel: int = GREEN) -> np.ndarray:
        """(..., 2) where photo points would lie without the lens."""
        a, k = self._terms(channel)
        q = (points - self.centre) / self.radius
        return self.centre + self.radius * q * (a + k * (q * q).sum(-1, keepdims=True))

    def real(self, ideal: np.ndarray, channel: int = GREEN) -> np.ndarray:
        """Inverse of `ideal`, by Newton's method."""
        a, k = self._terms(channel)
        p = (ideal - self.centre) / self.radius
        length = np.linalg.norm(p, axis=-1, keepdims=True)
        q = length / a
        for _ in range(12):
            q = q - (a * q + k * q**3 - length) / (a + 3 * k * q**2)
        return self.centre + self.radius * p * np.where(length > 1e-12, q / np.maximum(length, 1e-12), 1 / a)


@dataclass(frozen=True)
class View:
    """A photo's geometry: scene from undistorted photo pixels, and the lens."""

    scene_from_photo: Homography
    lens: Lens

    def scene(self, points: np.ndarray, channel: int = GREEN) -> np.ndarray:
        """(..., 2) scene points that photo points show."""
        return self.scene_from_photo(self.lens.ideal(points, channel))

    def photo(self, scene_points: np.ndarray, channel: int = GREEN) -> np.ndarray:
        """(..., 2) photo points that show scene points."""
        return self.lens.real(self.scene_from_photo.inverse()(scene_points), channel)

    @property
    def pitch(self) -> float:
        """Scene px per photo px in the middle."""
        return self.scene_from_photo.zoom_at(tuple(self.lens.centre))

    def pixels(self) -> np.ndarray:
        """(h, w, 2) all pixel centres."""
        height, width = self.lens.size_hw
        return np.stack(np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float)), axis=-1)


class Scene:
    """A plane picture in linear light, ready to be blurred and sampled anywhere.

    Args:
        linear: (H, W, 3) float32.
    """

    def __init__(self, linear: np.ndarray) -> None:
        self.linear = linear
        shape = [scipy.fft.next_fast_len(n + 2 * PAD, real=True) for n in linear.shape[:2]]
        margins = [(PAD, big - n - PAD) for big, n in zip(shape, linear.shape[:2], strict=True)]
        padded = np.pad(linear, (*margins, (0, 0)), mode="symmetric")
        self.shape = tuple(shape)
        self.spectra = [scipy.fft.rfft2(np.ascontiguousarray(padded[..., c])) for c in range(3)]
        self.frequencies = np.fft.rfftfreq(shape[1])[None], np.fft.fftfreq(shape[0])[:, None]

    def light(self, view: View, psf: Psf, points: np.ndarray | None = None) -> np.ndarray:
        """(..., 3) float32: light at photo points (default: all pixels) of a view through a kernel."""
        at = view.pixels() if points is None else points
        out = np.empty((*at.shape[:-1], 3), np.float32)
        fx, fy = (f.astype(np.float32) for f in self.frequencies)
        pitch = view.pitch
        filtered = psf.transfer(fx * pitch, fy * pitch) / (_quintic(fx) * _quintic(fy))
        shared = len(set(view.lens.lateral)) == 1
        for channel in range(3):
            if channel == 0 or not shared:
                where = view.scene(at, channel) + PAD
            coefficients = scipy.fft.irfft2(self.spectra[channel] * filtered, s=self.shape)
            out[..., channel] = map_coordinates(
                coefficients.astype(np.float32),
                [where[..., 1], where[..., 0]],
                output=np.float32,
                order=5,
                mode="mirror",
                prefilter=False,
            )
        return out


def _quintic(f: np.ndarray) -> np.ndarray:
    """Transfer function of the quintic B-spline's samples."""
    return (66 + 52 * np.cos(2 * np.pi * f) + 2 * np.cos(4 * np.pi * f)) / 120


@dataclass(frozen=True)
class Sensor:
    """What becomes of the light.

    Attributes:
        exposure, white_balance: gains on linear light, of all and of red, green, blue.
        gamma: exponent on the encoded value (a tone curve).
        vignetting: share of the light lost at the corner.
        noise_8bit: sd of the noise at mid-grey, 8-bit levels; half of its variance grows with the signal.
        mosaic: one colour a pixel (RGGB), noise before the colours are interpolated.
        jpeg: quality; 0 = none.
    """

    exposure: float = 1.0
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    vignetting: float = 0.0
    noise_8bit: float = 1.0
    mosaic: bool = False
    jpeg: int = 90

    def gains(self, lens: Lens, points: np.ndarray) -> np.ndarray:
        """(..., 3) what linear light is multiplied by at photo points."""
        q2 = (((points - lens.centre) / lens.radius) ** 2).sum(-1, keepdims=True)
        falloff = (1 + (1 / np.sqrt(1 - self.vignetting) - 1) * q2) ** -2  # cos^4 law
        return self.exposure * np.array(self.white_balance) * falloff

    def develop(self, light: np.ndarray, view: View, rng: np.random.Generator) -> np.ndarray:
        """(h, w, 3) float32 in [0, 1], encoded, with noise, not yet rounded; `light` (h, w, 3) linear."""
        gains = self.gains(view.lens, view.pixels()).astype(np.float32)
        if not self.mosaic:
            return self._with_noise(self._encoded(light * gains), rng)
        raw = np.empty(light.shape[:2], np.float32)
        balance = np.array(self.white_balance, np.float32)
        exposed = light * gains / balance  # a sensor knows no white balance, and clips before it
        for top, left, channel in ((0, 0, RED), (0, 1, GREEN), (1, 0, GREEN), (1, 1, BLUE)):
            raw[top::2, left::2] = exposed[top::2, left::2, channel]
        # The noise of a mosaic stands for the same noise in the encoded picture at mid-grey.
        slope = (0.214 - 0.209) / (linear_to_srgb(np.float32(0.214)) - linear_to_srgb(np.float32(0.209)))
        sd = self.noise_8bit / 255 * slope * np.sqrt(0.5 + 0.5 * np.clip(raw, 0, 1) / 0.2)
        raw = np.clip(raw + sd * rng.standard_normal(raw.shape, np.float32), 0, 1)
        stored = np.rint(raw * 65535).astype(np.uint16)
        colours = cv2.cvtColor(stored, cv2.COLOR_BayerRGGB2RGB_EA).astype(np.float32) / 65535
        return self._encoded(colours * balance)

    def _encoded(self, light: np.ndarray) -> np.ndarray:
        return linear_to_srgb(np.clip(light, 0, 1)) ** np.float32(self.gamma)

    def _with_noise(self, encoded: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        sd = self.noise_8bit / 255 * np.sqrt(0.5 + encoded)
        return encoded + sd * rng.standard_normal(encoded.shape, np.float32)

    def stored(self, encoded: np.ndarray) -> np.ndarray:
        """uint8 as a file would hold it."""
        pixels = np.clip(np.rint(encoded * 255), 0, 255).astype(np.uint8)
        if not self.jpeg:
            return pixels
        _, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, self.jpeg])
        return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def exact_capture(
    scene: np.ndarray, scene_from_photo: np.ndarray, camera: CameraModel, rng: np.random.Generator
) -> np.ndarray:
    """What `realdeg.imaging.capture.capture` makes, drawn exactly.

    Args:
        scene: (H, W, 3) uint8 RGB, finer than the photo's pixels, best twice as fine.
        scene_from_photo: (3, 3) homography.
        camera: lens, sensor and exposure.
        rng: source of the noise.
    """
    view = View(Homography(scene_from_photo), Lens(camera.size_hw, camera.distortion))
    sensor = Sensor(
        camera.exposure,
        camera.white_balance,
        camera.gamma,
        camera.vignetting,
        camera.noise_8bit,
        jpeg=camera.jpeg,
    )
    linear = srgb_to_linear(scene.astype(np.float32) / 255)
    light = Scene(linear).light(view, Psf.gaussian(camera.blur, camera.aspect, camera.angle))
    return sensor.stored(sensor.develop(light, view, rng))


def displacement(seen: np.ndarray, exact: np.ndarray, side: int = 24) -> np.ndarray:
    """(N, 2) by how much each window of one (h, w) picture is displaced against another, px."""
    gy, gx = np.gradient(exact)
    found = []
    for top in range(2, exact.shape[0] - side - 1, side):
        for left in range(2, exact.shape[1] - side - 1, side):
            at = np.s_[top : top + side, left : left + side]
            design = np.stack([gx[at].ravel(), gy[at].ravel(), exact[at].ravel(), np.ones(side * side)], -1)
            found.append(np.linalg.lstsq(design, (exact - seen)[at].ravel(), rcond=None)[0][:2])
    return np.array(found)


def measured(
    scale: int,
    sigma: float,
    rng: np.random.Generator,
    waves: int = 300,
    hr_hw: tuple[int, int] = (200, 270),
) -> dict[str, np.ndarray]:
    """Displacement of rendered content against a closed form, px of the photo.

    By this module, in all three colours (red and blue lie elsewhere), and in green by `capture` and by
    OpenCV's cubic. The scene is a sum of waves of up to 0.48 cycles per scene px, with a spectrum like that
    of photos; a wave through a Gaussian is known exactly at any point.

    Args:
        scale: HR / LR size; 1: of the HR photo itself.
        sigma: of the kernel, photo px.
        rng: source of waves and views.
        waves: how many.
        hr_hw: size of the HR photo.
    """
    size, size_hw = tuple(int(2.4 * n) for n in hr_hw), tuple(int(n / scale) for n in hr_hw)
    radius = 0.48 * rng.uniform(0.02, 1, waves)
    angle, phase = rng.uniform(0, 2 * np.pi, (2, waves))
    vectors = 2 * np.pi * radius * np.array([np.cos(angle), np.sin(angle)])
    size_of = 1 / radius / np.sqrt(((1 / radius) ** 2).sum() / 2) * 0.12

    def scene_at(points: np.ndarray, blur: float) -> np.ndarray:
        total = np.full(points.shape[:-1], 0.4)
        for (kx, ky), a, start in zip(vectors.T, size_of, phase, strict=True):
            strength = a * np.exp(-0.5 * blur**2 * (kx * kx + ky * ky))
            total += strength * np.cos(kx * points[..., 0] + ky * points[..., 1] + start)
        return total

    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    linear = np.repeat(scene_at(np.stack([x, y], -1), 0.0)[..., None], 3, -1).astype(np.float32)
    turn, pitch = np.radians(rng.uniform(-2, 2)), 2.0 * scale * rng.uniform(0.97, 1.03)
    c, s = pitch * np.cos(turn), pitch * np.sin(turn)
    middle = (np.array(size_hw[::-1]) - 1) / 2
    plane = (
        Homography.translation(*((np.array(size[::-1]) - 1) / 2 + rng.uniform(-1, 1, 2)))
        @ Homography(np.array([[c, -s, 0], [s, c, 0], [2e-5, 1e-5, 1]]))
        @ Homography.translation(*-middle)
    )
    view = View(plane, Lens(size_hw, rng.uniform(-0.03, 0.03), (0.8 / scale, 0.0, -0.6 / scale), 0.5))
    red, exact, blue = (scene_at(view.scene(view.pixels(), c), sigma * view.pitch) for c in range(3))
    here = Scene(linear).light(view, Psf.gaussian(sigma))
    camera = CameraModel(size_hw, sigma, distortion=view.lens.distortion, noise_8bit=0.0)
    scene8 = np.rint(linear_to_srgb(np.clip(linear, 0, 1)) * 255).astype(np.uint8)
    other = srgb_to_linear(plain_capture(scene8, plane.matrix, camera, rng)[..., GREEN] / np.float32(255))
    x, y = view.pixels()[..., 0].astype(np.float32), view.pixels()[..., 1].astype(np.float32)
    at = view.scene(view.pixels()).astype(np.float32)
    blurred = cv2.GaussianBlur(linear, (0, 0), sigma * view.pitch)[..., GREEN]
    cubic = cv2.remap(blurred, at[..., 0], at[..., 1], cv2.INTER_CUBIC)
    drawn = [displacement(here[..., c].astype(float), true) for c, true in enumerate((red, exact, blue))]
    others = {"capture": other, "OpenCV's cubic": cubic}
    found = {name: displacement(np.asarray(image, float), exact) for name, image in others.items()}
    return {name: np.hypot(*d.T) for name, d in {"exact_camera": np.concatenate(drawn), **found}.items()}


def main() -> None:
    """Print how far rendered content lies from where it should."""
    print("| photo | kernel, px | by | displaced, median | p95 | most, px of the photo |")
    print("|---|---|---|---|---|---|")
    for scale in (1, 2, 4):
        for sigma in (0.4, 0.65):
            rng = np.random.default_rng(scale)
            found = [measured(scale, sigma, rng) for _ in range(4)]
            for name in found[0]:
                length = np.concatenate([f[name] for f in found])
                figures = (np.median(length), np.percentile(length, 95), length.max())
                what = "HR" if scale == 1 else f"LR x{scale}"
                print(f"| {what} | {sigma} | {name} | {' | '.join(f'{v:.5f}' for v in figures)} |")


if __name__ == "__main__":
    main()

"""Truth: exact arithmetic over all 65,536 values, and the ends of each range."""

from fractions import Fraction

import numpy as np
import pytest

from realdeg.imaging.depth import peak, to_8bit, to_float


def test_all_sixteen_bit_values_are_rounded_to_the_nearest_level():
    every = np.arange(65536, dtype=np.uint16)
    nearest = [round(Fraction(int(value) * 255, 65535)) for value in every]
    np.testing.assert_array_equal(to_8bit(every.reshape(256, 256)).ravel(), nearest)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3), (4, 5, 4), (1, 1, 3)])
def test_any_shape_and_layout(shape):
    image = np.random.default_rng(0).integers(0, 65536, shape, np.uint16)
    expected = np.rint(image / 257)
    np.testing.assert_array_equal(to_8bit(image), expected)
    np.testing.assert_array_equal(to_8bit(image[::-1, ::-1]), expected[::-1, ::-1])


def test_floats_are_rounded_half_to_even_and_clipped():
    levels = np.array([[-3, -0.5, 0.5, 1.5, 2.5, 254.5, 255, 300]], np.float32)
    np.testing.assert_array_equal(to_8bit(levels / 255)[0], [0, 0, 0, 2, 2, 254, 255, 255])


def test_there_and_back():
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert to_8bit(every) is every
    np.testing.assert_array_equal(to_8bit(to_float(every)), every)
    np.testing.assert_array_equal(to_8bit(every.astype(np.uint16) * 257), every)
    assert (peak(every), peak(every.astype(np.uint16))) == (255, 65535)
    assert to_float(every).max() == 1

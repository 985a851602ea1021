"""The simulator's quaternions, refereed by scipy."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sim.control import vector
from sim.rotation import down_axis, exponential, heading_only, multiply

RNG = np.random.default_rng(3)


def random_quaternions(count: int) -> np.ndarray:
    q = RNG.standard_normal((count, 4))
    return q / np.linalg.norm(q, axis=1, keepdims=True)


def referee(q: np.ndarray) -> Rotation:
    return Rotation.from_quat(q, scalar_first=True)


def test_product_is_composition():
    a, b = random_quaternions(50), random_quaternions(50)
    expected = (referee(a) * referee(b)).as_matrix()
    assert np.allclose(referee(multiply(a, b)).as_matrix(), expected, atol=1e-12)


def test_down_axis_is_the_matrix_s_third_column():
    q = random_quaternions(50)
    assert np.allclose(down_axis(q), referee(q).as_matrix()[:, :, 2], atol=1e-12)


@pytest.mark.parametrize("size", [0.0, 1e-9, 0.3, 3.0])
def test_exponential(size: float):
    angle = size * RNG.standard_normal((20, 3))
    assert np.allclose(
        referee(exponential(angle)).as_matrix(),
        Rotation.from_rotvec(angle).as_matrix(),
        atol=1e-12,
    )


def test_heading_only_keeps_the_heading():
    angles = RNG.uniform(-1.0, 1.0, (30, 3)) * [1.2, 1.2, np.pi]
    q = np.array([vector.from_euler(*row) for row in angles])
    kept = Rotation.from_quat(heading_only(q), scalar_first=True).as_euler("ZYX")
    assert np.allclose(kept[:, 0], angles[:, 2])
    assert np.allclose(kept[:, 1:], 0.0)


def test_scalar_euler_angles():
    for roll, pitch, yaw in RNG.uniform(-1.5, 1.5, (30, 3)):
        q = vector.from_euler(roll, pitch, yaw)
        expected = Rotation.from_euler("ZYX", [yaw, pitch, roll]).as_matrix()
        assert np.allclose(referee(np.array([q])).as_matrix()[0], expected)
        assert np.allclose(vector.to_euler(q), (roll, pitch, yaw))


def test_scalar_rotation_into_the_body():
    q = random_quaternions(20)
    v = RNG.standard_normal((20, 3))
    expected = referee(q).inv().apply(v)
    got = [vector.rotate_inverse(tuple(a), tuple(b)) for a, b in zip(q, v, strict=True)]
    assert np.allclose(got, expected)

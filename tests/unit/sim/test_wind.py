"""The air: Dryden's spectrum, strength by height, single gusts.

Mutants killed: the second lag left out; its sign exchanged; the noise of the two lags independent;
length and height exchanged; the cosine of a gust over half a turn; across to the left.
"""

import math

import numpy as np
import pytest
from scipy.signal import welch

from sim.wind import Flow, Gust, Passing, Turbulence, Wind, scales

HEIGHT, SPEED, SIGMA = 30.0, 12.0, 1.5


def blown(dt_s: float, steps: int, count: int = 400):
    air = Turbulence(count, np.random.default_rng(11))
    speeds, heights = np.full(count, SPEED), np.full(count, HEIGHT)
    kept = []
    for _ in range(steps):
        air.step(dt_s, SIGMA, speeds, heights)
        kept.append(air.velocity.copy())
    return np.array(kept)


@pytest.mark.parametrize("dt_s", [0.5, 5.0])
def test_strength_does_not_depend_on_the_step(dt_s):
    found = blown(dt_s, round(400 / dt_s))[round(60 / dt_s) :]
    share = (0.177 + 0.000823 * HEIGHT / 0.3048) ** 0.4
    expected = SIGMA * np.array([1.0, 1.0, share])
    assert np.allclose(found.std(axis=(0, 1)), expected, rtol=0.03)
    assert np.abs(found.mean(axis=(0, 1))).max() < 0.1


def test_spectra_are_drydens():
    """Against the formulas of the standard, by scipy's Welch estimate, over two decades."""
    dt_s = 0.05
    found = blown(dt_s, 6_000, count=60)[1_000:]
    frequency, power = welch(found, 1.0 / dt_s, nperseg=1024, axis=0)
    power = power.mean(axis=1)
    inside = (frequency > 0.05) & (frequency < 4.0)
    omega = 2.0 * np.pi * frequency[inside]
    length, share = scales(np.array([HEIGHT]))
    for axis, (size, sigma) in enumerate(
        [(length[0], SIGMA), (length[0], SIGMA), (HEIGHT, SIGMA * share[0])]
    ):
        t = size / SPEED
        if axis == 0:
            expected = 4.0 * sigma**2 * t / (1.0 + (t * omega) ** 2)
        else:
            top = 1.0 + 3.0 * (t * omega) ** 2
            expected = 2.0 * sigma**2 * t * top / (1.0 + (t * omega) ** 2) ** 2
        ratio = power[inside, axis] / expected
        assert abs(float(np.median(ratio)) - 1.0) < 0.1
        assert np.abs(np.log(ratio)).max() < 0.45  # of sampling and of the estimate


def test_length_grows_with_height_as_the_standard_says():
    """MIL-F-8785C, figure 7: 1,000 ft at 1,000 ft, where low and medium altitude meet."""
    length, share = scales(np.array([1000 * 0.3048, 1.0]))
    assert length[0] == pytest.approx(1000 * 0.3048, rel=0.01)
    assert share[0] == pytest.approx(1.0, abs=0.01)
    assert length[1] == pytest.approx(10 * 0.3048 / 0.18523**1.2)


def test_calm_air_with_one_gust():
    wind = Wind(np.random.default_rng(0), (Gust(2.0, 4.0, (0.0, -6.0, 1.0)),))
    blowing = []
    for k in range(90):
        wind.step(0.1, 0.1 * k, Flow(3.0, math.radians(90.0), 0.0), Passing((0, 0, 0), 10.0))
        blowing.append(wind.velocity)
    east = [e for _, e, _ in blowing]
    assert east[:20] == [pytest.approx(-3.0)] * 20  # it comes from the east
    assert min(east) == pytest.approx(-9.0)
    assert east[40] == pytest.approx(-9.0)
    assert east[30] == pytest.approx(-6.0)
    assert max(d for _, _, d in blowing) == pytest.approx(1.0)
    assert east[61:] == [pytest.approx(-3.0)] * 29


def test_turbulence_turns_with_the_wind():
    def blown_from(degrees: float):
        wind, values = Wind(np.random.default_rng(4)), []
        for k in range(300):
            flow = Flow(8.0, math.radians(degrees), 1.0)
            wind.step(0.5, 0.5 * k, flow, Passing((0, 0, 0), 20.0))
            values.append(wind.velocity)
        return np.array(values)

    south, west = blown_from(0.0), blown_from(90.0)  # where they blow to
    assert np.allclose(west[:, 0], -south[:, 1])
    assert np.allclose(west[:, 1], south[:, 0])
    assert np.allclose(west[:, 2], south[:, 2])
    assert south[:, 0].mean() == pytest.approx(-8.0, abs=1.0)

"""Documents are flown as what they were made of, and their joints are looked at.

Mutants killed: a piece sampled from the document's time; a heading row of waves left out; course
rates without the second derivative; a step of velocity not looked for; short pieces left out.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flightcore.flown import Flown, document_of, first_jump
from flightcore.trajectory.harmonic import SINE, Harmonic, Wave, lemniscate, orbit
from flightcore.trajectory.polynomial import line, stop, through
from flightcore.trajectory.survey import survey
from wire.trajectory import (
    AlongCourse,
    Document,
    Facing,
    Polynomial,
    Reference,
    Turning,
    Waves,
    decode_untrusted,
    encode,
)

HERE = Reference(-353_632_610, 1_491_652_300, 584_090)
POINTS = [(0, 0, -5), (10, 0, -6), (10, 8, -5), (0, 8, -8), (-3, 2, -5)]
SQUARE = [(0.0, 0.0), (40.0, 0.0), (40.0, 30.0), (0.0, 30.0)]
MOTIONS = {
    "line": line((0, 0, -5), (40, 10, -9), 5.0, 2.0, 0.3),
    "short line": line((0, 0, -5), (0.5, 0, -5), 5.0, 2.0, 0.3),
    "through": through(POINTS, 4.0, 2.0, -1.0),
    "survey": survey(SQUARE, -10.0, 7.0, 0.4, 5.0, 2.0),
    "stop": stop((1, 2, -3), (4, -1, 0.5), 3.0, 0.1),
    "orbit": orbit((5, 6, -7), 10.0, 4.0, turns=1.5),
    "lemniscate": lemniscate((5, 6, -7), 10.0, 8.0, 0.4, 30.0),
    "lifted": Harmonic((0, 0, -5), ((Wave(3, 1),), (Wave(3, 1, SINE),), (Wave(1, 2),)), 9.0, 0.7),
}


def derivative(flown, at, rows, h=1e-4):
    before, after = flown.sample(np.array([at - h, at + h])).T
    return (after[rows] - before[rows]) / (2 * h)


@pytest.mark.parametrize("motion", MOTIONS.values(), ids=MOTIONS)
def test_document_flies_as_what_it_was_made_of(motion):
    document = decode_untrusted(encode(document_of([motion], HERE)))
    flown = Flown(document, (100.0, -50.0, 3.0))
    assert flown.duration == pytest.approx(motion.duration, abs=1e-5)
    times = np.linspace(0.0, min(flown.duration, motion.duration), 997)
    expected = motion.sample(times)
    found = flown.sample(times)
    assert np.allclose(found[:3] - [[100.0], [-50.0], [3.0]], expected[:3], atol=1e-9)
    assert np.allclose(found[3:15], expected[3:15], atol=1e-9)
    turn = found[15] - expected[15]
    assert np.allclose(np.exp(1j * turn), 1.0)
    assert np.allclose(found[16:], expected[16:], atol=1e-9)
    assert first_jump(flown) is None


@given(st.lists(st.sampled_from(list(MOTIONS)), min_size=1, max_size=4), st.data())
@settings(max_examples=30)
def test_pieces_follow_one_another(names, data):
    """Each motion is flown from where the last one ends in time, wherever in it one looks."""
    motions = [MOTIONS[name] for name in names]
    flown = Flown(document_of(motions, HERE))
    begun = np.cumsum([0.0, *(motion.duration for motion in motions)])
    index = data.draw(st.integers(0, len(motions) - 1))
    since = data.draw(st.floats(1e-4, motions[index].duration - 1e-4))
    found = flown.sample(np.array([begun[index] + since]))
    assert np.allclose(found[:12], motions[index].sample(np.array([since]))[:12], atol=1e-4)


def test_heading_along_the_course():
    wave = Waves(30.0, AlongCourse(), (0.0, 0.0, -5.0), MOTIONS_WAVES)
    flown = Flown(Document(HERE, (wave,)))
    for at in np.linspace(0.5, 29.5, 40):
        flat = flown.sample(np.array([at]))[:, 0]
        course = math.atan2(flat[4], flat[3])
        assert math.isclose(math.cos(flat[15] - course), 1.0)
        assert np.allclose(derivative(flown, at, slice(15, 17)), flat[16:18], atol=1e-4)


MOTIONS_WAVES = document_of([MOTIONS["lemniscate"]], HERE).pieces[0].waves


def test_heading_row_of_waves():
    wave = Waves(30.0, Turning((1.0, 0.2, 0.01)), (0.0, 0.0, -5.0), MOTIONS_WAVES)
    flat = Flown(Document(HERE, (wave,))).sample(np.array([10.0]))[:, 0]
    assert np.allclose(flat[15:], [4.0, 0.4, 0.02])


def test_no_heading_where_there_is_no_direction():
    still = Polynomial(2.0, AlongCourse(), ((), (), (-5.0,)))
    above = Polynomial(2.0, Facing(0.0, 0.04), ((), (), (-5.0,)))
    for piece in still, above:
        flat = Flown(Document(HERE, (piece,))).sample(np.array([1.0]))
        assert np.isnan(flat[15:]).all()
        assert np.isfinite(flat[:15]).all()


@pytest.mark.parametrize(
    ("rows", "order"), [(((0.1,),), 0), (((0.0, 0.3),), 1), (((0.0, 0.0, 2.0),), 2)]
)
def test_steps_are_found(rows, order):
    rest = Polynomial(2.0, Turning(), ((), (), (-5.0,)))
    on = Polynomial(2.0, Turning(), (rows[0], (), (-5.0,)))
    jump = first_jump(Flown(Document(HERE, (rest, rest, on))))
    assert (jump.at_s, jump.order) == (4.0, order)
    assert first_jump(Flown(Document(HERE, (rest, rest)))) is None

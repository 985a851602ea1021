"""One text, three ways to run it: called with floats, compiled to floats, compiled to rows.

The model is the call with floats: there nothing is folded, shared, nested or scheduled. Programs
are drawn at random, with constants that folding treats specially and inputs at the edges.

Mutants killed: a row freed before a choice has read it; the operands of `sub` sorted like those of
`add`; x - x folded to x; the negative branch of `choose` taken at 0; equal terms of different
operations taken for one; an output that is an input left uncopied; nesting without counting that
`min` reads its operands twice (slow, not wrong); a limit that swallows NaN.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracing.executors import Rows, Trace, float_source, floats
from tracing.terms import choose, cos, maximum, minimum, sin, sqrt

CONSTANTS = [0.0, 1.0, -1.0, 2.0, 0.5, -3.25, 1e-9]
EDGES = st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-3, -2.5, 7.0])
NUMBERS = st.one_of(EDGES, st.floats(-10, 10, allow_nan=False, width=32))
BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / (1.0 + b * b),
    "min": minimum,
    "max": maximum,
}
UNARY = {"neg": lambda a: -a, "sqrt": lambda a: sqrt(a * a), "sin": sin, "cos": cos}
INPUTS = 3
_STEP = st.tuples(
    st.sampled_from([*BINARY, *UNARY, "choose", "constant"]),
    *[st.integers(0, 60)] * 3,
)


def run_steps(steps, values):
    """Carry out a drawn program; an operand is chosen among all values so far."""
    values = list(values)
    for kind, i, j, k in steps:
        a, b, c = (values[n % len(values)] for n in (i, j, k))
        if kind == "constant":
            values.append(CONSTANTS[i % len(CONSTANTS)])
        elif kind == "choose":
            values.append(choose(a, b, c))
        elif kind in UNARY:
            values.append(UNARY[kind](a))
        else:
            values.append(BINARY[kind](a, b))
    return values


def in_bounds(values):
    return all(abs(v) < 1e9 for v in values)


@settings(max_examples=300)
@given(
    st.lists(_STEP, min_size=1, max_size=40),
    st.lists(st.tuples(*[NUMBERS] * INPUTS), min_size=1, max_size=4),
    st.data(),
)
def test_all_ways_give_the_same(steps, vehicles, data):
    slow = [run_steps(steps, vehicle) for vehicle in vehicles]
    size = len(slow[0])
    picked = data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=6))

    def text(group):
        values = run_steps(steps, group)
        return (tuple(values[i] for i in picked),)

    if not all(map(in_bounds, slow)):
        return
    expected = np.array([[values[i] for i in picked] for values in slow]).T
    compiled = floats(text, (INPUTS,))
    single = np.array([compiled(vehicle)[0] for vehicle in vehicles]).T
    rows = Rows(text, (INPUTS,), len(vehicles))
    rows.inputs[0][:] = np.array(vehicles).T
    rows.run()
    np.testing.assert_allclose(single, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(rows.outputs[0], expected, rtol=1e-12, atol=1e-12)


def test_feedback_hands_outputs_to_inputs():
    rows = Rows(lambda s, k: ((s[0] + k[0], s[0]),), (2, 1), 2, feedback=((0, 0),))
    rows.inputs[1][:] = [[1.0, 10.0]]
    for _ in range(3):
        rows.run()
    assert rows.inputs[0].tolist() == [[3.0, 30.0], [2.0, 20.0]]


@pytest.mark.parametrize("sign", [-1.0, 0.0, 1.0])
def test_a_choice_reads_what_it_overwrites(sign):
    """Both branches end here: the result must not take the place of one before it was read."""

    def text(s):
        x, y = s[0] + 1.0, s[1] + 2.0
        z, w = s[0] + 3.0, s[1] + 4.0
        return ((choose(s[2], x, y) * 2.0, choose(s[2], w, z) * 2.0),)

    rows = Rows(text, (3,), 1)
    rows.inputs[0][:] = [[10.0], [20.0], [sign]]
    rows.run()
    assert rows.outputs[0][:, 0].tolist() == list(text((10.0, 20.0, sign))[0])
    assert floats(text, (3,))((10.0, 20.0, sign)) == text((10.0, 20.0, sign))


def test_a_step_allocates_no_rows():
    def text(s):
        total = s[0]
        for _ in range(100):
            total = sqrt(total * total + s[1]) - 0.25
        return ((total,),)

    assert Rows(text, (2,), 3).scratch_rows <= 2


def test_equal_expressions_are_computed_once_and_known_ones_never():
    def text(s):
        a, b = s
        known = 0.0 * sin(a) + 1.0 * (a - a) + sqrt(4.0)
        return ((a * b + known, b * a + 2.0),)

    assert Trace(text, (2,)).operations == 2


def test_what_is_read_twice_is_written_once():
    def text(s):
        value = s[0]
        for _ in range(20):
            value = minimum(value + s[1], 1.0)
        return ((value,),)

    assert len(float_source(Trace(text, (2,)))) < 3_000


@pytest.mark.parametrize("way", [minimum, maximum])
def test_nan_stays_nan(way):
    """A limit must not turn a number that is none into the limit."""

    def text(s):
        return ((way(s[0], 1.0),),)

    rows = Rows(text, (1,), 1)
    rows.inputs[0][:] = math.nan
    rows.run()
    assert math.isnan(rows.outputs[0][0, 0])
    assert math.isnan(floats(text, (1,))((math.nan,))[0][0])
    assert math.isnan(text((math.nan,))[0][0])

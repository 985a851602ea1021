"""Parameter files in and out.

Mutants killed: a name twice takes the last; a line that is no line is passed over; a value that
does not fit its kind is rounded; another component's parameters are taken; a comment is part of a
value.
"""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundstation.parameters.files import (
    MAX_LINES,
    Format,
    ParameterFileError,
    compare,
    parse,
    write,
)
from groundstation.parameters.table import INT8, INT32, REAL32, Parameter

NAMES = st.sampled_from(("A", "RTL_ALT", "WPNAV_SPEED", "A_2345678901234B", "EK3_SRC1_POSXY", "Z9"))
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
TABLES = st.dictionaries(
    NAMES,
    st.one_of(
        st.tuples(st.integers(-128, 127).map(float), st.just(INT8)),
        st.tuples(st.integers(-(2**24), 2**24).map(float), st.just(INT32)),
        st.tuples(FLOATS, st.just(REAL32)),
    ),
    min_size=1,
    max_size=6,
)


def table(values):
    return {name: Parameter(name, value, kind) for name, (value, kind) in values.items()}


@given(TABLES, st.sampled_from(Format))
def test_what_is_written_is_read_again(values, form):
    known = table(values)
    text = write(list(known.values()), form, 7, "about")
    difference = compare(parse(text), known)
    assert difference.changes == {}
    assert difference.faults == []
    assert difference.same == len(known)


def test_as_qgroundcontrol_writes_it():
    text = (
        "# Onboard parameters for Vehicle 1\n#\n# Vehicle-Id Component-Id Name Value Type\n"
        "1\t1\tRTL_ALT\t1500\t6\n1\t1\tATC_RAT_RLL_P\t0.135000005364417999\t9\n"
        "1\t154\tMNT_X\t3\t9\n"
    )
    assert [(line.name, line.value) for line in parse(text)] == [
        ("RTL_ALT", 1500),
        ("ATC_RAT_RLL_P", pytest.approx(0.135)),
    ]


def test_as_mission_planner_writes_it():
    lines = ("\ufeff#NOTE: 1.1.2026", "RTL_ALT,1500", "ATC_RAT_RLL_P, 0.135 #tuned", "FS_X 1")
    text = "\r\n".join(lines)
    assert [tuple(line) for line in parse(text)] == [
        (2, "RTL_ALT", 1500),
        (3, "ATC_RAT_RLL_P", 0.135),
        (4, "FS_X", 1),
    ]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("RTL_ALT", "allowed: NAME,VALUE"),
        ("RTL_ALT,1,2", "allowed: NAME,VALUE"),
        ("rtl_alt,1", "no name of a parameter"),
        ("A23456789012345678,1", "no name of a parameter"),
        ("RTL_ALT,high", "'high' is no number"),
        ("RTL_ALT,nan", "no finite number"),
        ("RTL_ALT,1e999", "no finite number"),
        ("FIRST,2", "set already on line 1"),
        ("1\t1\tRTL_ALT\t15", "allowed: NAME,VALUE"),
        ("\x1b[31mRED,1", "'?[31mRED,1'"),
        ("<b>,1", "no name of a parameter"),
    ],
)
def test_a_line_that_is_none_is_named(line, why):
    with pytest.raises(ParameterFileError) as error:
        parse(f"FIRST,1\n\n{line}\n")
    assert str(error.value).startswith("line 3: ")
    assert why in str(error.value)


def test_many_faults_are_counted():
    with pytest.raises(ParameterFileError, match="and 80 more lines"):
        parse("?\n" * 100)
    with pytest.raises(ParameterFileError, match=f"allowed: {MAX_LINES}"):
        parse("A,1\n" * (MAX_LINES + 1))
    for empty in ("", "# nothing\n", "\n\n"):
        with pytest.raises(ParameterFileError, match="names no parameter"):
            parse(empty)


@given(st.text(max_size=200))
def test_any_text_is_parameters_or_named(text):
    with contextlib.suppress(ParameterFileError):
        assert all(abs(line.value) < float("inf") for line in parse(text))


def test_what_does_not_fit_this_drone_is_named_and_left_out():
    known = table({"FRAME_CLASS": (1.0, INT8), "RTL_ALT": (1500.0, REAL32), "SAME": (2.0, INT8)})
    text = "FRAME_CLASS,300\nNO_SUCH,1\nRTL_ALT,4000\nSAME,2\n"
    difference = compare(parse(text), known)
    assert difference.changes == {"RTL_ALT": 4000}
    assert difference.same == 1
    assert [fault.partition(": ")[0] for fault in difference.faults] == ["line 1", "line 2"]
    assert "FRAME_CLASS = 300: out of range; allowed: -128 to 127" in difference.faults[0]

"""What is written about parameters is about this vehicle's, and true of its code."""

import re
from pathlib import Path

from sim.autopilot.parameter_notes import explain, notes
from sim.autopilot.parameters import Parameters

SIM = Path(__file__).parents[3] / "sim"
SPLIT = re.compile(r"SIM_(GPS1_GLTCH|GPS1_VERR|ACC1_BIAS|GYR1_BIAS|MAG1_OFS)_[XYZ]")


def test_at_least_250_are_explained_and_all_exist():
    assert set(notes()) <= set(Parameters().names)
    assert sum("text" in note for note in notes().values()) >= 250


def test_those_marked_as_honoured_are_those_the_code_names():
    quoted = {q for path in SIM.rglob("*.py") for q in re.findall(r'"(\w+)"', path.read_text())}
    named = {n for n in Parameters().names if n in quoted or SPLIT.fullmatch(n)}
    named -= {n for n in named if n.startswith("INS_")}  # only told, after a calibration
    assert {n for n, note in notes().items() if "honoured" in note} == named


def test_a_line_tells_default_unit_range_and_meaning():
    (line,) = explain("RTL_ALT_F")
    assert line.split()[:3] == ["RTL_ALT_FINAL", "0", "cm"]
    assert "[0 to 1000]" in line
    assert len(explain("")) == len(Parameters())

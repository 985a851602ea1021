"""What parameters mean: text, unit, range, and whether this vehicle does more than store them."""

import json
from functools import cache
from importlib import resources
from typing import Final, TypedDict

from sim.autopilot.parameters import Parameters
from wire.parameter_notes import document


class Note(TypedDict, total=False):
    """What is known of one parameter; an absent key is not known.

    Attributes:
        text: What it is for.
        unit: Its unit, as ArduPilot writes it.
        range: Lowest and highest sensible value, which nothing enforces.
        honoured: Present if the embedded autopilot acts on it.
    """

    text: str
    unit: str
    range: list[float]
    honoured: bool


_NOTHING: Final[Note] = {}


@cache
def notes() -> dict[str, Note]:
    """Return the notes by name of parameter."""
    found: dict[str, Note] = json.loads(document())
    names = resources.files("sim").joinpath("data", "honoured-parameters.json").read_text()
    for name in json.loads(names):
        found.setdefault(name, {})["honoured"] = True
    return found


def explain(beginning: str) -> list[str]:
    """Return a line for each parameter whose name begins so, in the order of names."""
    parameters = Parameters()
    lines = []
    for name in sorted(parameters.names):
        if not name.startswith(beginning):
            continue
        note = notes().get(name, _NOTHING)
        unit = f" {note['unit']}" if "unit" in note else ""
        low_high = note.get("range")
        span = f"  [{low_high[0]:g} to {low_high[1]:g}]" if low_high else ""
        mark = "" if "honoured" in note else "  (stored only)"
        text = f"  {note['text']}" if "text" in note else ""
        lines.append(f"{name:16s} {parameters.default(name):g}{unit}{span}{text}{mark}")
    return lines

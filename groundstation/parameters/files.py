"""Parameter files as QGroundControl and Mission Planner write them.

QGroundControl: `vehicle<TAB>component<TAB>name<TAB>value<TAB>type` with MAV_PARAM_TYPE. Mission
Planner: `NAME,VALUE`; other programs put spaces there. In both `#` begins a comment.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from groundstation.parameters.table import NAME, Parameter, as_sent, shown, why_not
from wire.mavlink import dialect

MAX_LINES: Final = 20_000
MAX_FAULTS: Final = 20
_AUTOPILOT: Final = str(dialect.MAV_COMP_ID_AUTOPILOT1)
_COLUMNS: Final = 5


class Format(StrEnum):
    """Which program's file."""

    QGROUNDCONTROL = "qgroundcontrol"
    MISSION_PLANNER = "missionplanner"


class Line(NamedTuple):
    """One parameter in a file and the line it stands on."""

    number: int
    name: str
    value: float


class ParameterFileError(Exception):
    """Lines that set no parameter; the text names each with what is wrong and what is allowed."""


class Difference(NamedTuple):
    """What a file would change, and what it says that cannot be done."""

    changes: Mapping[str, float]
    same: int
    faults: Sequence[str]


def parse(text: str) -> list[Line]:
    """Return the parameters that a file names, in its order.

    Raises:
        ParameterFileError: Lines are not as either program writes them, or set one name twice.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    if len(lines) > MAX_LINES:
        raise ParameterFileError(f"{len(lines)} lines; allowed: {MAX_LINES}")
    found: dict[str, Line] = {}
    faults: list[str] = []
    for number, line in enumerate(lines, 1):
        bare = line.partition("#")[0].strip()
        if not bare:
            continue
        said = _line(bare)
        if isinstance(said, str):
            faults.append(f"line {number}: {_short(bare)}: {said}")
        elif said is not None:
            name, value = said
            if name in found:
                faults.append(
                    f"line {number}: {name}: set already on line {found[name].number}; once only"
                )
            found[name] = Line(number, name, value)
    if faults:
        more = len(faults) - MAX_FAULTS
        raise ParameterFileError(
            "\n".join(faults[:MAX_FAULTS] + [f"and {more} more lines"] * (more > 0))
        )
    if not found:
        raise ParameterFileError("names no parameter")
    return list(found.values())


def compare(lines: Sequence[Line], table: Mapping[str, Parameter]) -> Difference:
    """Return how a file differs from the drone's table."""
    changes: dict[str, float] = {}
    faults: list[str] = []
    same = 0
    for line in lines:
        parameter = table.get(line.name)
        if parameter is None:
            faults.append(f"line {line.number}: {line.name}: this drone has no such parameter")
            continue
        fault = why_not(line.value, parameter.kind)
        if fault:
            faults.append(f"line {line.number}: {line.name} = {line.value:g}: {fault}")
        elif as_sent(line.value) == parameter.value:
            same += 1
        else:
            changes[line.name] = as_sent(line.value)
    return Difference(changes, same, faults)


def write(parameters: Sequence[Parameter], form: Format, sysid: int, about: str) -> str:
    """Return the text of a file; `about` is a comment on its first line.

    Invariant: `parse` of it gives each name with the value it has aboard.
    """
    ordered = sorted(parameters)
    if form is Format.MISSION_PLANNER:
        lines = [f"{each.name},{shown(each.value)}" for each in ordered]
        return "\n".join([f"#{about}", *lines, ""])
    rows = [f"{sysid}\t{_AUTOPILOT}\t{p.name}\t{shown(p.value)}\t{p.kind}" for p in ordered]
    head = [f"# {about}", "#", "# Vehicle-Id Component-Id Name Value Type"]
    return "\n".join([*head, *rows, ""])


def _line(bare: str) -> tuple[str, float] | str | None:
    """Return name and value, or what is wrong; None for another component's parameter."""
    words = bare.split("\t") if "\t" in bare else bare.replace(",", " ").split()
    if len(words) == _COLUMNS:
        if words[1] != _AUTOPILOT:
            return None
        words = words[2:4]
    if len(words) != 2:
        return "allowed: NAME,VALUE or vehicle, component, name, value, type between tabs"
    name, text = words[0].strip(), words[1].strip()
    if not NAME.fullmatch(name):
        return "no name of a parameter: capitals, digits and _, 16 at most"
    try:
        value = float(text)
    except ValueError:
        return f"{_short(text)} is no number"
    return (name, value) if abs(value) < float("inf") else f"{_short(text)} is no finite number"


def _short(text: str) -> str:
    printable = "".join(c if c.isprintable() else "?" for c in text)
    return repr(printable if len(printable) <= 40 else printable[:40] + "...")

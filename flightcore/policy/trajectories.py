"""Rows for what is asked of the companion's own flying: no frame for the autopilot."""

from typing import Final

from flightcore.policy.rows import COMMAND, COMMAND_IN_FLIGHT, SAFE, TRANSFER, Group, Row

UPLOAD: Final = "UPLOAD"

TRAJECTORIES: Final = (
    Group(
        "Trajectories that the companion flies",
        (
            Row(UPLOAD, TRANSFER, "judged, and not flown before START"),
            Row("START", COMMAND_IN_FLIGHT, "moves the vehicle"),
            Row("PAUSE", SAFE, "holds, good however late"),
            Row("RESUME", COMMAND_IN_FLIGHT, "moves the vehicle"),
            Row("ABORT", SAFE, "stops and holds, good however late"),
            Row("CLEAR", COMMAND, "nothing is flown by then"),
        ),
    ),
)

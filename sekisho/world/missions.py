"""What operators do in a world: a survey from the ground and back."""

from collections.abc import Iterator, Sequence
from typing import Final

from sekisho.world.operator import AUTO, GUIDED, RTL, Message, Operator, Script, Step
from sim.geodesy import Place
from wire.mavlink import dialect

TELEMETRY: Final = (
    dialect.MAV_DATA_STREAM_POSITION,
    dialect.MAV_DATA_STREAM_EXTENDED_STATUS,
    dialect.MAV_DATA_STREAM_EXTRA1,
)
_FLIGHT_NS: Final = 3600_000_000_000  # longer than any battery lasts
_UP_M: Final = 0.9  # of the height that was asked for


def rows(count: int, length: float, apart: float) -> list[tuple[float, float]]:
    """Return the corners of rows that are flown up and down, north and east of home [m]."""
    corners = []
    for row in range(count):
        ends = (0.0, length) if row % 2 == 0 else (length, 0.0)
        corners += [(north, row * apart) for north in ends]
    return corners


def items(
    sysid: int, home: Place, corners: Sequence[tuple[float, float]], height: float
) -> list[Message]:
    """Return a mission over corners at a height [m] over home; item 0 is home, as always."""
    places = [(home, 0.0)] + [(home.offset(north, east), height) for north, east in corners]
    return [
        dialect.MAVLink_mission_item_int_message(
            sysid,
            1,
            number,
            dialect.MAV_FRAME_GLOBAL_RELATIVE_ALT_INT,
            dialect.MAV_CMD_NAV_WAYPOINT,
            0,
            1,
            *(0.0, 0.0, 0.0, 0.0),
            place.lat_deg_e7,
            place.lon_deg_e7,
            up,
        )
        for number, (place, up) in enumerate(places)
    ]


def survey(mission: Sequence[Message], height: float, rate: int = 2) -> Script:
    """Return a flight: upload, arm, take off, the mission, return, land.

    Args:
        mission: Its items.
        height: Of the take-off, over home. [m]
        rate: Of the telemetry that is asked for. [Hz]
    """

    def script(operator: Operator) -> Iterator[Step]:
        yield Step("be heard", lambda: operator.mode is not None)
        yield from operator.stream(rate, TELEMETRY, lambda: operator.height is not None)
        yield from operator.upload(mission)
        yield from operator.set_mode(GUIDED)
        yield from operator.command(
            dialect.MAV_CMD_COMPONENT_ARM_DISARM, 1, done=lambda: operator.armed
        )
        yield from operator.command(
            dialect.MAV_CMD_NAV_TAKEOFF,
            *(0, 0, 0, 0, 0, 0, height),
            done=lambda: (operator.height or 0.0) > _UP_M * height,
        )
        yield from operator.set_mode(AUTO)
        yield Step(
            "fly the mission",
            lambda: operator.reached == len(mission) - 1 or operator.mode != AUTO,
            patience_ns=_FLIGHT_NS,
        )
        yield from operator.set_mode(RTL)
        yield Step("land and disarm", lambda: not operator.armed)

    return script

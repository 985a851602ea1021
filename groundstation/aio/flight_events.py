"""What the events beside a recording add to its report: the link, orders, attacks."""

import re
from pathlib import Path
from typing import Final

import msgspec

from crypto.aio.files import StoreError
from crypto.aio.log_files import list_logs, read_log
from crypto.log_chain import Known
from crypto.primitives import XWingKeyPair
from groundstation.flight_data import FlightData, printable
from wire.trail import Topic

_AROUND_US: Final = 5_000_000  # the recorder's files may begin that far apart
_FLIGHTS: Final = "flights-"
_FAILSAFE: Final = re.compile(r"failsafe: \w+ -> (lost|ok): (.*)")


class EventLine(msgspec.Struct, frozen=True):
    """One line of a file of events, as far as a report wants it."""

    us: int
    topic: str
    text: str
    by: str | None = None
    drone: str | None = None


def drone_of(recording: Path) -> str | None:
    """Return whose flights lie where a recording lies; None aboard, where there is one drone."""
    name = recording.absolute().parent.name
    return name.removeprefix(_FLIGHTS) if name.startswith(_FLIGHTS) else None


def add_events(recording: Path, key: XWingKeyPair, known: Known, flight: FlightData) -> list[str]:
    """Add what happened during a flight from the files of events beside it.

    Returns what is wrong with those files.
    """
    if flight.first_us is None:
        return []
    first, last = flight.first_us - _AROUND_US, flight.last_us + _AROUND_US
    drone = drone_of(recording)
    wrong = []
    before: EventLine | None = None  # the last that was said of the link when the flight began
    for path in list_logs(recording.absolute().parent.parent / "audit"):
        data: list[bytes] = []
        try:
            _, verdict = read_log(path, key, Known(known.signer), data.append)
        except StoreError as error:
            wrong.append(str(error))
            continue
        if verdict.damage is not None:
            wrong.append(f"{path.name}: {verdict.summary()}")
        for line in b"".join(data).splitlines():
            event = _parse(line)
            if event is None or event.drone not in (None, drone):
                continue
            if first <= event.us <= last:
                text = printable(event.text)
                by = "" if event.by is None or event.by in text else f", by {printable(event.by)}"
                flight.note(event.us, event.topic, level_of(event), text + by)
            elif event.us < first and event.topic == Topic.LINK:
                before = event
    if before is not None and level_of(before):
        flight.note(flight.first_us, before.topic, level_of(before), printable(before.text))
    return wrong


def level_of(event: EventLine) -> int:
    """Return how bad an event is: 0 not, 2 caution, 3 alarm."""
    match event.topic:
        case Topic.ATTACK:
            return 0 if event.text == "over" else 3
        case Topic.LINK:
            return 3 if event.text.startswith("lost") else 0
        case Topic.REFUSED:
            return 2
        case Topic.ORDER:
            return 2 if ": refused" in event.text or ": no answer" in event.text else 0
        case Topic.NOTE:
            return 2 if "suspect" in event.text or "lost" in event.text else 0
        case _:
            return 0


def _parse(line: bytes) -> EventLine | None:
    try:
        event = msgspec.json.decode(line, type=EventLine)
    except msgspec.DecodeError:  # of another version
        return None
    # Aboard it is the failsafe that says how the link is.
    found = _FAILSAFE.fullmatch(event.text) if event.topic == Topic.NOTE else None
    if found is None:
        return event
    word = "lost" if found[1] == "lost" else "up"
    return msgspec.structs.replace(
        event, topic=Topic.LINK, text=f"{word}, says the drone: {found[2]}"
    )

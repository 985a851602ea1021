"""MAVLink FTP and logs."""

import struct
import tempfile

from pymavlink.DFReader import DFReader_binary
from pymavlink.dialects.v20 import ardupilotmega as d

from tests.conformance.case import Area, Observed
from tests.conformance.pilot import Pilot

area = Area("files")
case = area.case
_OPS = {128: "ACK", 129: "NACK"}
_SEQ = [0]
_BURST = 15


def ftp(
    v: Pilot,
    opcode: int,
    data: bytes = b"",
    *,
    session: int = 0,
    offset: int = 0,
    size: int | None = None,
    repeat: bool = False,
) -> list[tuple[str, bytes]]:
    """Send one request; return the replies as (kind, data)."""
    if not repeat:
        _SEQ[0] = (_SEQ[0] + 1000) & 0xFFFF
    length = len(data) if size is None else size
    head = struct.pack("<HBBBBBBI", _SEQ[0], session, opcode, length, 0, 0, 0, offset)
    payload = list((head + data).ljust(251, b"\0"))
    v.heard.clear()
    v.send(d.MAVLink_file_transfer_protocol_message(0, 1, 1, payload))
    # The real one answers from a task that lives in the time of the wall.
    v.until(lambda: any(m.get_type() == "FILE_TRANSFER_PROTOCOL" for m in v.heard), 30.0)
    v.run(5.0 if opcode == _BURST else 0.1)
    replies = []
    for m in v.heard:
        if m.get_type() == "FILE_TRANSFER_PROTOCOL":
            raw = bytes(m.payload)
            op, count = raw[3], raw[4]
            replies.append((_OPS.get(op, str(op)), raw[12 : 12 + count]))
    v.heard.clear()
    return replies


def asked(v: Pilot, opcode: int, data: bytes = b"", **more: int) -> Observed:
    """Ask with no session open."""
    ftp(v, 2)
    replies = ftp(v, opcode, data, **more)
    ftp(v, 2)
    return [f"{kind} {content[:60].hex()}" for kind, content in replies]


area.add("FTP: an opcode without a meaning", lambda v: asked(v, 77))
area.add("FTP: a file that is not there", lambda v: asked(v, 4, b"/nothing.txt"))
area.add("FTP: a directory that is not there", lambda v: asked(v, 3, b"/nothing"))
area.add("FTP: read without an open file", lambda v: asked(v, 5, size=80))
area.add("FTP: burst without an open file", lambda v: asked(v, 15, size=80))
area.add("FTP: terminate without an open file", lambda v: asked(v, 1))
area.add("FTP: reset", lambda v: asked(v, 2))
area.add("FTP: remove a file that is not there", lambda v: asked(v, 8, b"/nothing.txt"))
area.add("FTP: a checksum of a file that is not there", lambda v: asked(v, 14, b"/nothing.txt"))
area.add("FTP: the root from the second entry", lambda v: asked(v, 3, b"/", offset=90))


@case("FTP: the list of the root")
def _(v: Pilot) -> Observed:
    replies = ftp(v, 3, b"/")
    names = sorted(e.split(b"\t")[0].decode() for e in replies[0][1].split(b"\0") if e)
    keep = [n for n in names if n not in ("Feeprom.bin", "Fcopter.parm", "Dterrain", "Dlogs")]
    return [f"{replies[0][0]} {keep}"]


@case("FTP: the last reply is repeated")
def _(v: Pilot) -> Observed:
    first = ftp(v, 4, b"/nothing.txt")
    return [str(first == ftp(v, 4, b"/nothing.txt", repeat=True)), str(first)]


def fetched(v: Pilot, path: bytes, limit: int = 400) -> bytes:
    """Read a file by single reads."""
    ftp(v, 2)
    opened = ftp(v, 4, path)
    assert [kind for kind, _ in opened] == ["ACK"], opened
    content = b""
    while len(content) < limit:
        replies = ftp(v, 5, offset=len(content), size=200)
        if not replies or replies[0][0] != "ACK":
            break
        content += replies[0][1]
    ftp(v, 1)
    return content


def head(data: bytes) -> tuple[int, int, int]:
    assert len(data) >= 6, data
    return struct.unpack("<HHH", data[:6])


@case("FTP: the head of the packed parameters")
def _(v: Pilot) -> Observed:
    magic, count, total = head(fetched(v, b"@PARAM/param.pck"))
    return [f"{magic:#x} all={count == total} over1000={count > 1000}"]


@case("FTP: the head of the packed parameters with defaults")
def _(v: Pilot) -> Observed:
    magic, count, total = head(fetched(v, b"@PARAM/param.pck?withdefaults=1"))
    return [f"{magic:#x} all={count == total}"]


@case("FTP: a part of the packed parameters")
def _(v: Pilot) -> Observed:
    data = fetched(v, b"@PARAM/param.pck?start=5&count=3", 300)
    magic, count, total = head(data)
    return [f"{magic:#x} {count} over1000={total > 1000}", data[6:].hex()]


@case("FTP: a burst of the packed parameters comes in order")
def _(v: Pilot) -> Observed:
    ftp(v, 2)
    ftp(v, 4, b"@PARAM/param.pck")
    replies = ftp(v, 15, size=239)
    kinds = {kind for kind, _ in replies}
    ftp(v, 2)
    return [f"{len(replies) > 10} {sorted(kinds)}"]


@case("FTP: a second file while one is open")
def _(v: Pilot) -> Observed:
    ftp(v, 2)
    first = ftp(v, 4, b"@PARAM/param.pck")
    second = ftp(v, 4, b"@PARAM/param.pck")
    ftp(v, 2)
    return [first[0][0], *(f"{kind} {data.hex()}" for kind, data in second)]


@case("FTP: a read past the end")
def _(v: Pilot) -> Observed:
    ftp(v, 2)
    ftp(v, 4, b"@PARAM/param.pck")
    ftp(v, 5, offset=0, size=200)
    replies = ftp(v, 5, offset=10_000_000, size=200)
    ftp(v, 2)
    return [f"{kind} {data.hex()}" for kind, data in replies]


# Logs.


BEAT = d.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3)


def attend(v: Pilot, seconds: float) -> None:
    """Let time pass, heard as a ground station: without that the real one sends no logs."""
    end_s = v.now_s + seconds
    v.until(lambda: (v.send(BEAT), v.now_s > end_s)[1])  # type: ignore[func-returns-value]


def entries(v: Pilot, first: int = 0, last: int = 0xFFFF) -> list[d.MAVLink_message]:
    v.heard.clear()
    v.send(d.MAVLink_log_request_list_message(1, 1, first, last))
    attend(v, 3.0)
    found = [m for m in v.heard if m.get_type() == "LOG_ENTRY"]
    v.send(d.MAVLink_log_request_end_message(1, 1))
    v.sync()
    v.heard.clear()
    return found


def with_log(v: Pilot) -> d.MAVLink_message:
    """Make a short log, and return the entry of the last one."""
    v.arm()
    v.must(d.MAV_CMD_NAV_TAKEOFF, *[0] * 6, 4)
    v.until(lambda: v.height > 3.0, 20.0)
    v.mode("LAND")
    v.until(lambda: not v.armed, 60.0)
    v.run(3.0)
    found = entries(v)
    assert found, "no entries"
    return found[-1]


def download(v: Pilot, number: int, offset: int, count: int) -> bytes:
    """Download a part of a log, as ground software does: gaps are asked for again."""
    data: dict[int, bytes] = {}
    end = offset + count
    v.heard.clear()
    for _ in range(60):
        at = offset
        while at < end and at in data and data[at]:
            at += len(data[at])
        if at >= end or (at in data and not data[at]):
            break
        v.send(d.MAVLink_log_request_data_message(1, 1, number, at, end - at))
        before = -1
        while len(data) != before:
            before = len(data)
            attend(v, 1.0)
            for m in v.heard:
                if m.get_type() == "LOG_DATA" and m.id == number:
                    data[m.ofs] = bytes(m.data[: m.count])
            v.heard.clear()
    v.send(d.MAVLink_log_request_end_message(1, 1))
    v.sync()
    return b"".join(data[at] for at in sorted(data))


@case("logs: the list after a flight")
def _(v: Pilot) -> Observed:
    last = with_log(v)
    found = entries(v)
    return [
        f"numbered from one: {[m.id for m in found] == list(range(1, len(found) + 1))}",
        f"each says how many: {all(m.num_logs == len(found) for m in found)}",
        f"each says the last: {all(m.last_log_num == found[-1].id for m in found)}",
        f"has a size: {last.size > 10_000} a time: {last.time_utc > 1e9}",
    ]


@case("logs: a part of the list")
def _(v: Pilot) -> Observed:
    with_log(v)
    return [str([m.id for m in entries(v, 1, 1)])]


@case(
    "logs: the list beyond the last",
    "ArduPilot counts on from there until its sixteen bits are full",
    spoils=True,
)
def _(v: Pilot) -> Observed:
    with_log(v)
    return [f"none: {not entries(v, 500, 600)}"]


@case("logs: DFReader reads one, and finds the flight in it")
def _(v: Pilot) -> Observed:
    last = with_log(v)
    size = min(last.size, 300_000)
    data = download(v, last.id, 0, size)
    assert data
    with tempfile.NamedTemporaryFile(suffix=".bin") as file:
        file.write(data)
        file.flush()
        log = DFReader_binary(file.name)
        kinds = set()
        while (message := log.recv_msg()) is not None:
            kinds.add(message.get_type())
        log.close()
    wanted = (
        "FMT",
        "PARM",
        "MSG",
        "MODE",
        "ATT",
        "GPS",
        "BARO",
        "BAT",
        "CTUN",
        "RCIN",
        "RCOU",
        "EV",
        "ARM",
        "IMU",
        "XKF1",
        "POS",
    )
    return [f"complete={len(data) == size}", f"{sorted(k for k in wanted if k in kinds)}"]


@case("logs: data of a log that is not there")
def _(v: Pilot) -> Observed:
    lines = v.ask(d.MAVLink_log_request_data_message(1, 1, 900, 0, 90))
    v.send(d.MAVLink_log_request_end_message(1, 1))
    return lines


@case("logs: not while armed")
def _(v: Pilot) -> Observed:
    with_log(v)
    v.arm()
    v.heard.clear()
    v.send(d.MAVLink_log_request_list_message(1, 1, 0, 0xFFFF))
    v.sync()
    v.run(1.0)
    return [line for line in v.answers() if "PARAM" not in line][:3]


@case("logs: erased", spoils=True)
def _(v: Pilot) -> Observed:
    with_log(v)
    v.send(d.MAVLink_log_erase_message(1, 1))
    v.sync()
    for _ in range(40):  # the real one erases in the time of the wall
        attend(v, 3.0)
        found = [(m.id, m.num_logs, m.last_log_num) for m in entries(v)]
        if found == [(0, 0, 0)]:
            break
    return [str(found)]

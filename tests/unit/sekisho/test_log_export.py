"""What a recording is written out as, and that stripping leaves no position in it (R27).

Mutants that died here: an array counted as one element when places are found; COMMAND_LONG
forgotten; file transfers kept; the checksum left as it was; a payload not shortened again; half a
frame taken for a whole one.
"""

import csv
import json
import struct
import sys
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as dialect

from crypto.aio.log_files import LogFile, LogOrigin, SyncPolicy
from crypto.aio.log_keys import save_log_keys
from crypto.primitives import Ed25519, XWingKeyPair
from crypto.sealed_log import LogContent
from sekisho.cli import main
from sekisho.log_outputs import OPAQUE, PLACES, strip_position
from wire.mavlink import is_valid_frame
from wire.recorder import Batch, encode_tlog
from wire.tlog import TlogSplitter
from wire.trail import Event, Topic, Trail, encode_lines

KEY = XWingKeyPair(bytes(range(32)))
ORIGIN = LogOrigin(KEY.public, Ed25519(bytes(range(32))), bytes(16), 1)
LATITUDE, LONGITUDE = 356_586_000, 1_397_454_000
MAV = dialect.MAVLink(None, srcSystem=1, srcComponent=1)


def pack(message):
    return bytes(message.pack(MAV))


POSITION = pack(
    dialect.MAVLink_global_position_int_message(9, LATITUDE, LONGITUDE, 50_000, 9_000, 1, 2, 3, 4)
)
ATTITUDE = pack(dialect.MAVLink_attitude_message(1, 0.25, 0.5, 0.75, 0, 0, 0))
SERVOS = pack(dialect.MAVLink_actuator_control_target_message(1, 0, [0.5] * 8))
TEXT = pack(dialect.MAVLink_statustext_message(4, b"Arming motors"))
FILE = pack(dialect.MAVLink_file_transfer_protocol_message(0, 1, 1, [7] * 251))
GO = pack(
    dialect.MAVLink_mission_item_int_message(
        1, 1, 0, 6, 16, 0, 1, 0, 0, 0, 0, LATITUDE, LONGITUDE, 9
    )
)
FRAMES = [POSITION, ATTITUDE, SERVOS, TEXT, FILE, GO, POSITION]

# Every message of the dialect that says where something is, looked through by hand.
GOLDEN = """
ADSB_VEHICLE AHRS2 AHRS3 AIS_VESSEL CAMERA_FEEDBACK CAMERA_FOV_STATUS CAMERA_IMAGE_CAPTURED
CAMERA_TRACKING_GEO_STATUS COMMAND_INT COMMAND_LONG DEEPSTALL FENCE_POINT FOLLOW_TARGET
GLOBAL_POSITION_INT GLOBAL_POSITION_INT_COV GLOBAL_POSITION_SENSOR GPS2_RAW GPS_GLOBAL_ORIGIN
GPS_INPUT GPS_RAW_INT HIGH_LATENCY HIGH_LATENCY2 HIL_GPS HIL_STATE HIL_STATE_QUATERNION
HOME_POSITION MISSION_ITEM MISSION_ITEM_INT OPEN_DRONE_ID_LOCATION OPEN_DRONE_ID_SYSTEM
OPEN_DRONE_ID_SYSTEM_UPDATE ORBIT_EXECUTION_STATUS POSITION_TARGET_GLOBAL_INT RALLY_POINT
SET_GPS_GLOBAL_ORIGIN SET_HOME_POSITION SET_POSITION_TARGET_GLOBAL_INT SIMSTATE SIM_STATE
TERRAIN_CHECK TERRAIN_DATA TERRAIN_REPORT TERRAIN_REQUEST UAVIONIX_ADSB_OUT_CFG
UAVIONIX_ADSB_OUT_DYNAMIC UTM_GLOBAL_POSITION WATER_DEPTH
"""


def run(capsys, *argv):
    try:
        code = main([str(word) for word in argv])
    except SystemExit as stop:
        code = stop.code
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.fixture
def write(tmp_path, random_bytes):
    save_log_keys(tmp_path / "keys", KEY)

    def write(content, *chunks):
        log = LogFile.create(
            tmp_path / "logs/flights", content, ORIGIN, SyncPolicy(1, 1), random_bytes
        )
        for chunk in chunks:
            log.append(chunk, 0)
        log.close()
        return log.path, tmp_path / "keys/log-private.key"

    return write


@pytest.fixture
def flight(write):
    batches = [Batch(10**9 * (1 + at), [frame]) for at, frame in enumerate(FRAMES)]
    return write(LogContent.TLOG, encode_tlog(batches[:3], 0), encode_tlog(batches[3:], 0))


def test_every_message_with_a_position_is_known():
    names = {dialect.mavlink_map[number].msgname for number in PLACES}
    assert " ".join(sorted(names)) == " ".join(GOLDEN.splitlines()).strip()


def test_stripped_of_every_message_nothing_but_positions_goes():
    for number, message in dialect.mavlink_map.items():
        size = message.unpacker.size
        payload = bytes(range(1, 256))[:size].ljust(size, b"\x7f")
        frame = bytes(
            message(*_values(message, payload)).pack(MAV)  # as any sender packs it
        )
        stripped = strip_position(frame)
        if number in OPAQUE:
            assert stripped is None
            continue
        assert is_valid_frame(stripped)
        assert stripped[1] == 1 or stripped[9 + stripped[1]], "trailing zeros are left out"
        before, after = MAV.decode(bytearray(frame)), MAV.decode(bytearray(stripped))
        changed = {f for f in message.fieldnames if getattr(before, f) != getattr(after, f)}
        assert all(getattr(after, field) == 0 for field in changed)
        if number not in PLACES:
            assert stripped == frame
            continue
        assert changed
        assert len(changed) == len(PLACES[number])
        assert stripped[4:7] == frame[4:7]


def _values(message, payload):
    """Return arguments for a message whose every field is different from zero."""
    values = []
    for name, kind in zip(message.fieldnames, message.fieldtypes, strict=True):
        length = message.array_lengths[message.ordered_fieldnames.index(name)]
        one = 1.5 if kind in ("float", "double") else 1
        if kind == "char":
            values.append(b"x" * max(1, length))
        else:
            values.append([one] * length if length else one)
    assert payload
    return values


@given(st.lists(st.sampled_from(FRAMES), max_size=6), st.integers(1, 40))
def test_a_tlog_is_split_however_it_comes(frames, size):
    data = encode_tlog([Batch(1000 * at, [frame]) for at, frame in enumerate(frames)], 0)
    splitter, found = TlogSplitter(), []
    for at in range(0, len(data), size):
        found += splitter.receive(data[at : at + size])
    assert found == list(enumerate(frames))


def test_without_out_it_says_what_there_is_and_writes_nothing(capsys, flight, tmp_path):
    path, key = flight
    before = sorted(tmp_path.rglob("*"))
    code, out, _ = run(capsys, "logs", "export", path, "--key", key)
    assert code == 0
    assert "7 frames" in out
    assert "GLOBAL_POSITION_INT: 2, position" in out
    assert "FILE_TRANSFER_PROTOCOL: 1, may hold one" in out
    assert "ATTITUDE: 1\n" in out
    assert "nothing was written" in out
    assert sorted(tmp_path.rglob("*")) == before


def test_stripped_there_is_no_position_left(capsys, flight, tmp_path):
    path, key = flight
    out = tmp_path / "clean.tlog"
    argv = ["logs", "export", path, "--key", key, "--out", out, "--strip-position"]
    assert run(capsys, *argv)[0] == 0
    data = out.read_bytes()
    assert out.stat().st_mode & 0o777 == 0o600
    for place in (LATITUDE, LONGITUDE):
        assert struct.pack("<i", place) in POSITION
        assert struct.pack("<i", place) not in data
    frames = [frame for _, frame in TlogSplitter().receive(data)]
    assert len(frames) == len(FRAMES) - 1, "the file transfer may hold one"
    assert all(map(is_valid_frame, frames))
    kept = MAV.decode(bytearray(frames[0]))
    assert (kept.lat, kept.lon, kept.alt, kept.hdg) == (0, 0, 50_000, 4)
    assert frames[1:4] == [ATTITUDE, SERVOS, TEXT]


def test_tables(capsys, flight, tmp_path):
    path, key = flight
    out = tmp_path / "tables"
    code, _, err = run(
        capsys, "logs", "export", path, "--key", key, "--out", out, "--format", "csv"
    )
    assert code == 0, err
    names = {file.name for file in out.iterdir()}
    assert {"GLOBAL_POSITION_INT.csv", "ATTITUDE.csv", "STATUSTEXT.csv"} < names
    with (out / "GLOBAL_POSITION_INT.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["us"], row["lat"], row["hdg"]) for row in rows] == [
        ("1000000", str(LATITUDE), "4"),
        ("7000000", str(LATITUDE), "4"),
    ]
    with (out / "ACTUATOR_CONTROL_TARGET.csv").open() as file:
        assert next(csv.DictReader(file))["controls_7"] == "0.5"
    with (out / "STATUSTEXT.csv").open() as file:
        assert next(csv.DictReader(file))["text"] == "Arming motors"
    assert out.stat().st_mode & 0o777 == 0o700
    code, _, err = run(
        capsys, "logs", "export", path, "--key", key, "--out", out, "--format", "csv"
    )
    assert code == 2
    assert "File exists" in err


def test_a_track(capsys, flight, tmp_path):
    path, key = flight
    out = tmp_path / "flight.gpx"
    argv = ["logs", "export", path, "--key", key, "--out", out, "--format", "gpx"]
    assert run(capsys, *argv)[0] == 0
    points = ET.parse(out).getroot().findall(".//{*}trkpt")
    assert [point.attrib for point in points] == [{"lat": "35.6586000", "lon": "139.7454000"}] * 2
    assert points[0].find("{*}ele").text == "50.000"
    assert points[1].find("{*}time").text == "1970-01-01T00:00:07.000+00:00"
    code, _, err = run(capsys, *argv[:-1], "gpx", "--strip-position")
    assert code == 2
    assert "nothing but positions" in err


def test_events_come_out_as_json_lines(capsys, write, tmp_path):
    trail = Trail()
    trail.add(Event(Topic.AUTHORITY, "command: b", by="b", previous="a"), 10**9)
    trail.add(Event(Topic.NOTE, "x"), 2 * 10**9)
    path, key = write(LogContent.EVENTS, encode_lines(trail.outgoing(), 0))
    out = tmp_path / "events.jsonl"
    assert run(capsys, "logs", "export", path, "--key", key, "--out", out)[0] == 0
    assert [json.loads(line) for line in out.read_text().splitlines()] == [
        {"us": 10**6, "topic": "authority", "text": "command: b", "by": "b", "previous": "a"},
        {"us": 2 * 10**6, "topic": "note", "text": "x"},
    ]
    code, listed, _ = run(capsys, "logs", "export", path, "--key", key)
    assert code == 0
    assert "authority: 1" in listed
    for refused in (["--format", "csv"], ["--strip-position"]):
        argv = ["logs", "export", path, "--key", key, "--out", tmp_path / "more", *refused]
        code, _, err = run(capsys, *argv)
        assert code == 2
        assert "holds events" in err


def test_parquet_holds_the_same_numbers_as_the_tables(capsys, flight, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="no pyarrow")
    path, key = flight
    argv = ["logs", "export", path, "--key", key, "--out"]
    assert run(capsys, *argv, tmp_path / "csv", "--format", "csv")[0] == 0
    assert run(capsys, *argv, tmp_path / "parquet", "--format", "parquet")[0] == 0
    names = {path.stem for path in (tmp_path / "csv").iterdir()}
    assert {path.stem for path in (tmp_path / "parquet").iterdir()} == names
    for name in names:
        with (tmp_path / f"csv/{name}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        table = parquet.read_table(tmp_path / f"parquet/{name}.parquet").to_pylist()
        assert [{k: str(v) for k, v in row.items()} for row in table] == rows


def test_mcap_is_read_by_its_own_library(capsys, flight, tmp_path):
    reader = pytest.importorskip("mcap.reader", reason="no mcap")
    path, key = flight
    out = tmp_path / "flight.mcap"
    argv = ["logs", "export", path, "--key", key, "--format", "mcap", "--out"]
    assert run(capsys, *argv, out)[0] == 0
    with out.open("rb") as file:
        read = [
            (schema.name, channel.topic, message.log_time, json.loads(message.data))
            for schema, channel, message in reader.make_reader(file).iter_messages()
        ]
    assert len(read) == len(FRAMES) + 2
    places = [each for each in read if each[0] == "foxglove.LocationFix"]
    assert [place[2] for place in places] == [1 * 10**9, 7 * 10**9]
    assert places[0][3]["latitude"] == LATITUDE / 1e7
    assert places[0][3]["timestamp"] == {"sec": 1, "nsec": 0}
    attitude = next(each for each in read if each[1] == "mavlink/ATTITUDE")
    assert attitude[3]["roll"] == 0.25
    stripped = tmp_path / "stripped.mcap"
    assert run(capsys, *argv, stripped, "--strip-position")[0] == 0
    with stripped.open("rb") as file:
        topics = {channel.topic for _, channel, _ in reader.make_reader(file).iter_messages()}
    assert "location" not in topics


def test_an_export_without_its_library_names_it(capsys, flight, tmp_path, monkeypatch):
    path, key = flight
    for name, module in (("mcap", "mcap.writer"), ("parquet", "pyarrow")):
        monkeypatch.setitem(sys.modules, module, None)
        out = tmp_path / name
        code, _, said = run(
            capsys, "logs", "export", path, "--key", key, "--out", out, "--format", name
        )
        assert (code, out.exists()) == (2, False)
        assert f"pip install 'sekisho[{name}]'" in said

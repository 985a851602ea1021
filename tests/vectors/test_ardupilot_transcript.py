"""The embedded autopilot must answer as the recorded ArduCopter did, exchange by exchange.

The 87 exchanges are replayed in order at the pace of the recording, so the vehicle comes into each
recorded state by what was asked before. Compared are all messages the recording holds, in order,
except by these rules:

- texts and parameters that the vehicle's own clock causes (start-up of the estimator and with it
  home as mission item 0, statistics every 30 s, the pre-arm reminder, learned hover thrust) may
  fall into a neighbouring exchange;
- the recorder ended the upload with the acknowledgement, so what follows it belongs to the next;
- measured values (calibration results, timestamps, impact speed) are compared by name only.
"""

import json
import re
from pathlib import Path

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from tests.sitl.link import Client, simulation

TRANSCRIPT = Path(__file__).parent.parent / "data" / "ardupilot" / "transcript.json"
ROWS = json.loads(TRANSCRIPT.read_text())

# The vehicle's own clock decides when these come.
BY_CLOCK = re.compile(
    r"EKF3 IMU\d |GPS 1: |Field Elevation|PreArm: Need Position|STAT_|BARO\d_GND|MOT_THST_HOVER"
)

KNOWN = {
    "log list": "its logs are its own: their number, time and size are not the recorded ones",
}

ITEM_FIELDS = ("frame", "command", "param1", "param2", "param3", "param4", "x", "y", "z")


def comparable(message: dict, *, about_mission: bool) -> tuple | None:
    kind = message["mavpackettype"]
    if kind == "STATUSTEXT":
        if BY_CLOCK.match(message["text"]):
            return None
        text = re.sub(r"[\d.]+ m/s", "? m/s", message["text"])
        return kind, message["severity"], text, message["chunk_seq"]
    if kind == "PARAM_VALUE":
        name = message["param_id"]
        if BY_CLOCK.match(name) or (name == "MIS_TOTAL" and not about_mission):
            return None
        value = None if name.startswith("INS_") else message["param_value"]
        return kind, name, value, message["param_type"], message["param_index"]
    if kind == "TIMESYNC" and message["tc1"] == 0:
        return None  # the vehicle asks every 10 s
    skipped = {"tc1", "mavpackettype", "time_usec"}
    fields = {k: v for k, v in message.items() if k not in skipped}
    if kind == "FILE_TRANSFER_PROTOCOL":
        fields["payload"] = tuple(fields["payload"])
    if kind == "MISSION_ITEM_INT" and fields["seq"] == 0:
        del fields["z"]  # home's altitude: the real estimator measured 0.1 m more
    return kind, *sorted((k, str(v)) for k, v in fields.items())


def message_of(request: dict) -> dialect.MAVLink_message:
    kind = request["mavpackettype"]
    cls = getattr(dialect, f"MAVLink_{kind.lower()}_message")
    fields = {k: v for k, v in request.items() if k != "mavpackettype"}
    if kind == "MISSION_COUNT":
        fields |= {"target_system": 1, "target_component": 1}  # the recording left them out
    if "param_id" in fields:
        fields["param_id"] = fields["param_id"].encode()
    return cls(**fields)


def gap_after(index: int, label: str) -> float:
    """Return the time between two exchanges, as the auto-disarms in the recording date them."""
    if label == "arm in GUIDED":
        return 1.0
    if label == "takeoff 12 m":
        return 2.5
    if label == "set mode LAND":
        return 60.0
    return 1.0766 if index < 45 else 0.9968


@pytest.fixture(scope="module")
def replay() -> list[tuple[dict, list[dict], dict]]:
    client = Client(simulation(ekf_ready_s=39.1))
    client.run(3.8)
    upload = [
        row["responses"][0]["msg"] for row in ROWS if row["label"].startswith("mission item ")
    ][:5]

    def answer(message: dialect.MAVLink_message) -> None:
        if message.get_type() == "MISSION_REQUEST":
            item = upload[message.seq]
            fields = [item[name] for name in ITEM_FIELDS]
            client.send(
                dialect.MAVLink_mission_item_int_message(
                    1, 1, message.seq, *fields[:2], 0, 1, *fields[2:]
                )
            )

    client.on_message = answer
    results, carried = [], []
    for index, row in enumerate(ROWS):
        client.send(message_of(row["request"]))
        label = row["label"]
        until = (lambda: client.altitude < 1.2) if label == "set mode LAND" else None
        heard = carried + [m.to_dict() for m in client.run(gap_after(index, label), until)]
        carried = []
        if label.startswith("mission upload"):
            end = [m["mavpackettype"] for m in heard].index("MISSION_ACK") + 1
            heard, carried = heard[:end], heard[end:]
        results.append((row, heard, {"armed": client.armed, "mode": client.mode}))
    return results


def wanted_types(row: dict) -> set[str]:
    always = {"COMMAND_ACK", "STATUSTEXT", "PARAM_VALUE", "MISSION_ACK", "FILE_TRANSFER_PROTOCOL"}
    return always | {r["msg"]["mavpackettype"] for r in row["responses"]}


@pytest.mark.slow
@pytest.mark.parametrize("index", range(len(ROWS)), ids=lambda i: f"{i}-{ROWS[i]['label']}")
def test_exchange(replay, index: int) -> None:
    row, heard, state = replay[index]
    kinds = wanted_types(row)
    about_mission = "mission" in row["label"] or "home" in row["label"]
    recorded = [comparable(r["msg"], about_mission=about_mission) for r in row["responses"]]
    embedded = [
        comparable(m, about_mission=about_mission) for m in heard if m["mavpackettype"] in kinds
    ]
    recorded = [c for c in recorded if c is not None]
    embedded = [c for c in embedded if c is not None]
    if row["label"] in KNOWN:
        assert embedded != recorded, "no longer different: take it out of the table"
        return
    assert embedded == recorded
    assert state == row["vehicle_state"]


@pytest.mark.slow
def test_texts_of_the_clock_all_come(replay) -> None:
    spoken = {m["text"] for _, heard, _ in replay for m in heard if "text" in m}
    recorded = {
        r["msg"]["text"]
        for row in ROWS
        for r in row["responses"]
        if BY_CLOCK.match(r["msg"].get("text", "")) and "PreArm" not in r["msg"]["text"]
    }
    assert recorded <= spoken

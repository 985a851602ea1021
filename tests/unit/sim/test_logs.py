"""The log format, against pymavlink's reader of ArduPilot's logs, and the bounds of the store.

Mutants killed: `c` without its factor of a hundred, a description one byte short, the last packet
of a download always full, an erased log still listed.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymavlink.DFReader import DFReader_binary
from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot import dataflash
from sim.autopilot.dataflash import Record
from tests.sitl.link import Client, simulation


def read(path, data):
    path.write_bytes(data)
    log = DFReader_binary(str(path))
    messages = []
    while (message := log.recv_msg()) is not None:
        messages.append(message)
    log.close()
    return messages


@settings(max_examples=50)
@given(
    temperature=st.floats(-300, 300),
    count=st.integers(0, 255),
    text=st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=80),
)
def test_the_reader_gives_back_what_was_written(tmp_path_factory, temperature, count, text):
    kind = Record(200, "TST", "QcBZ", "TimeUS,Temp,Count,Text")
    data = dataflash.FMT.description() + kind.description() + kind.pack(5, temperature, count, text)
    (*_, message) = read(tmp_path_factory.mktemp("log") / "a.bin", data)
    assert message.get_type() == "TST"
    assert message.Temp == pytest.approx(temperature, abs=0.00501)
    assert message.Count == count
    assert message.Text == text[:64]


@pytest.mark.slow
def test_a_flight_is_in_its_log(tmp_path):
    client = Client(simulation())
    client.fly_to_altitude(5.0)
    client.command(dialect.MAV_CMD_DO_SET_MODE, 1, 9)
    client.run(60.0, until=lambda: not client.armed)
    client.send(dialect.MAVLink_log_request_list_message(1, 1, 0, 0xFFFF))
    client.run(0.5)
    (entry,) = client.of("LOG_ENTRY")
    client.send(dialect.MAVLink_log_request_data_message(1, 1, 1, 0, 0xFFFFFFFF))
    client.run(
        60.0, until=lambda: client.of("LOG_DATA")[-1:] and client.of("LOG_DATA")[-1].count < 90
    )
    data = b"".join(bytes(m.data[: m.count]) for m in client.of("LOG_DATA"))
    assert len(data) == entry.size
    messages = read(tmp_path / "flight.bin", data)
    heights = [m.Alt for m in messages if m.get_type() == "CTUN"]
    assert max(heights) == pytest.approx(5.0, abs=0.4)
    assert [m.ModeNum for m in messages if m.get_type() == "MODE"] == [4, 9]
    assert len([m for m in messages if m.get_type() == "PARM"]) == 1354
    client.send(dialect.MAVLink_log_erase_message(1, 1))
    client.send(dialect.MAVLink_log_request_list_message(1, 1, 0, 0xFFFF))
    client.run(0.5)
    assert client.of("LOG_ENTRY")[-1].num_logs == 0

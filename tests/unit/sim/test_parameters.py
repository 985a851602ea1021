"""The parameter protocol."""

import math
import struct

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot.ftp import packed_parameters
from sim.autopilot.parameters import Parameters
from tests.sitl.link import Client, simulation


def test_list_is_complete_and_takes_about_five_seconds():
    client = Client(simulation())
    client.send(dialect.MAVLink_param_request_list_message(1, 1))
    client.run(6.0, until=lambda: len(client.of("PARAM_VALUE")) >= 1354)
    listed = [m for m in client.of("PARAM_VALUE") if m.param_index != 0xFFFF]
    assert [m.param_index for m in listed] == list(range(1354))
    assert {m.param_count for m in listed} == {1354}
    assert len({m.param_id for m in listed}) == 1354
    assert 4.0 < client.now_s < 6.0


def test_a_lost_entry_can_be_read_by_index():
    client = Client(simulation())
    client.send(dialect.MAVLink_param_request_read_message(1, 1, b"", 700))
    (reply,) = [m for m in client.run(0.1) if m.get_type() == "PARAM_VALUE"]
    assert reply.param_index == 700
    assert reply.param_id == Parameters().names[700]


def test_values_are_cut_and_held_within_their_type():
    parameters = Parameters()
    parameters.store("RTL_LOIT_TIME", 1234.6)
    assert parameters["RTL_LOIT_TIME"] == 1234.0
    parameters.store("FS_GCS_ENABLE", 1000.0)
    assert parameters["FS_GCS_ENABLE"] == 127.0
    parameters.store("GUID_TIMEOUT", 0.1)
    assert parameters["GUID_TIMEOUT"] == struct.unpack("<f", struct.pack("<f", 0.1))[0]


def test_what_is_the_vehicles_own_is_not_written():
    client = Client(simulation())
    client.send(dialect.MAVLink_param_set_message(1, 1, b"MIS_TOTAL", 5.0, 9))
    heard = client.run(0.1)
    (reply,) = [m for m in heard if m.get_type() == "PARAM_VALUE"]
    assert (reply.param_id, reply.param_value) == ("MIS_TOTAL", 0.0)
    assert "Param write denied (MIS_TOTAL)" in client.texts()


def test_reads_beyond_the_queue_are_lost():
    client = Client(simulation())
    for index in range(40):
        client.send(dialect.MAVLink_param_request_read_message(1, 1, b"", index))
    assert len([m for m in client.run(0.1) if m.get_type() == "PARAM_VALUE"]) == 20


@pytest.mark.parametrize("with_defaults", [False, True])
def test_packed_table_reads_back(with_defaults):
    """Decode param.pck by its description, not by the encoder's inverse."""
    parameters = Parameters()
    parameters.store("RTL_ALT", 4321.0)
    parameters.store("FS_GCS_ENABLE", 5.0)
    data = packed_parameters(parameters, with_defaults=with_defaults)
    magic, count, total = struct.unpack_from("<HHH", data)
    assert (magic, count, total) == (0x671C if with_defaults else 0x671B, 1354, 1354)
    at, name, table, defaults = 6, b"", {}, {}
    sizes = {1: "<b", 2: "<h", 3: "<i", 4: "<f"}
    while at < len(data):
        kind, flags, lengths = data[at] & 0x0F, data[at] >> 4, data[at + 1]
        common, rest = lengths & 0x0F, (lengths >> 4) + 1
        name = name[:common] + data[at + 2 : at + 2 + rest]
        at += 2 + rest
        for store in (table, defaults)[: 1 + (flags & 1)]:
            (store[name.decode()],) = struct.unpack_from(sizes[kind], data, at)
            at += struct.calcsize(sizes[kind])
    assert list(table) == parameters.names
    for key, value in table.items():
        assert math.isclose(value, parameters[key], rel_tol=1e-6), key
    fresh = Parameters()
    expected = {n: fresh[n] for n in ("RTL_ALT", "FS_GCS_ENABLE")} if with_defaults else {}
    assert defaults == pytest.approx(expected)

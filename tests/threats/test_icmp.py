"""Whoever is on the network may forge what the kernel believes: errors about our own datagrams.

Mutant killed: the gateway expects no other error than a refused connection.
"""

import asyncio
import logging
import os
import socket
import struct

import pytest

from crypto.aio.store import Store
from groundstation.aio.gateway import Gateway
from groundstation.config import Drone, GroundConfig

HERE = socket.inet_aton("127.0.0.1")
# Port unreachable is what an absent service causes; the others only a forger or a firewall.
CODES = (2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


def unreachable(code, source, target):
    """An ICMP message about a datagram that was sent from one port to another."""
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 36, 0, 0, 64, 17, 0, HERE, HERE)
    about = ip + struct.pack("!HHHH", source, target, 16, 0)
    head = struct.pack("!BBHI", 3, code, 0, 0)
    return head[:2] + checksum(head + about).to_bytes(2, "big") + head[4:] + about


@pytest.mark.skipif(os.geteuid() != 0, reason="forging ICMP takes root")
def test_forged_errors_stop_nothing(tmp_path, pair, caplog):
    async def main():
        drone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        drone.bind(("127.0.0.1", 0))
        drone.settimeout(0)
        port = drone.getsockname()[1]
        forger = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        record = pair[1]
        config = GroundConfig(
            [Drone(record.peer, address=f"127.0.0.1:{port}", mavlink_out=())],
        )
        gateway = Gateway(config, Store(tmp_path), {record.peer: record}, 1)
        await gateway.start()
        await asyncio.sleep(0.05)
        source = drone.recvfrom(2048)[1][1]
        for code in CODES:
            forger.sendto(unreachable(code, source, port), ("127.0.0.1", 0))
            await asyncio.sleep(0.02)
        await asyncio.sleep(1)
        gateway.close()
        assert len(drone.recv(2048)) == 76  # it goes on calling
        drone.close()
        forger.close()

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
    assert [record.getMessage() for record in caplog.records] == []

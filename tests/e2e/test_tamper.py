"""A changed datagram does nothing: every bit, against a running companion, before the original."""

import random
import time

import pytest

from tests.e2e.between import BenchAutopilot, LinkProxy
from tests.e2e.pilot import Pilot
from tests.e2e.processes import wait_until
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e


def is_handshake(datagram):
    return datagram[0] == 1


def is_data(datagram):
    return datagram[0] & 0x80


def is_large(datagram):
    return is_data(datagram) and len(datagram) >= 240  # a file transfer frame, padded


def is_small(datagram):
    """A keepalive, or a short frame: padded, they look alike."""
    return is_data(datagram) and len(datagram) == 96


def flipped(datagram, bit):
    changed = bytearray(datagram)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.fixture
def proxy():
    proxy = LinkProxy()
    yield proxy
    proxy.close()


@pytest.fixture
def stack(line, proxy, tmp_path):
    stack = Stack(tmp_path, line.device, called=proxy.port)
    proxy.drone_port = stack.link_port
    yield stack
    print(stack.report())


def send_all(proxy, stack, datagrams):
    """Send them to the companion, which must count each as dropped and open none."""
    before = stack.status("drone")["link"]
    expected = sum(before["dropped"].values())
    for at in range(0, len(datagrams), 50):  # not more than the socket holds
        burst = datagrams[at : at + 50]
        for datagram in burst:
            proxy.to_drone(datagram)
        expected += len(burst)
        wait_until(
            lambda expected=expected: sum(stack.dropped("drone").values()) >= expected,
            10,
            f"{expected} dropped",
            every_s=0.005,
        )
    assert stack.status("drone")["link"]["datagrams_up"] == before["datagrams_up"]


def test_no_bit_of_a_handshake_can_be_changed(proxy, stack, line):
    with BenchAutopilot(line) as autopilot:
        stack.start("drone")
        stack.await_autopilot()
        proxy.hold_back()
        stack.start("ground")
        original = proxy.caught(is_handshake)
        send_all(proxy, stack, [flipped(original, bit) for bit in range(8 * len(original))])
        assert stack.status("drone")["link"]["handshakes"] == 0
        assert stack.status("drone")["link"]["datagrams_down"] == 0
        assert autopilot.take() == []
        proxy.release()
        stack.await_link()


@pytest.mark.parametrize("kind", [is_small, is_large])
def test_no_bit_of_a_data_frame_can_be_changed(kind, proxy, stack, line):
    with BenchAutopilot(line) as autopilot:
        stack.start()
        stack.await_link()
        stack.await_autopilot()
        with Pilot(f"udpout:127.0.0.1:{stack.udp_port}") as pilot:
            pilot.until(lambda: "HEARTBEAT" in kinds(autopilot.take()), 5, "the pilot is heard")
            proxy.hold_back()
            if kind is is_large:
                pilot.connection.mav.file_transfer_protocol_send(0, 1, 1, read_request())
            original = proxy.caught(kind)
            time.sleep(0.1)
            autopilot.take()
            send_all(proxy, stack, [flipped(original, bit) for bit in range(8 * len(original))])
            assert autopilot.take() == []
            # The original, which nobody has seen yet, still does what it should.
            opened = stack.status("drone")["link"]["datagrams_up"]
            proxy.release()
            wait_until(
                lambda: stack.status("drone")["link"]["datagrams_up"] > opened, 2, "it is opened"
            )
            if kind is is_large:
                wait_until(
                    lambda: "FILE_TRANSFER_PROTOCOL" in kinds(autopilot.take()), 2, "it passes"
                )


def test_sampled_bits_of_many_frames(proxy, stack, line):
    draw = random.Random(20261121)
    with BenchAutopilot(line) as autopilot:
        stack.start()
        stack.await_link()
        stack.await_autopilot()
        with Pilot(f"udpout:127.0.0.1:{stack.udp_port}") as pilot:
            pilot.until(lambda: "HEARTBEAT" in pilot.latest, 10, "a heartbeat")
            for number in range(40):
                proxy.hold_back()
                pilot.connection.mav.param_request_read_send(1, 1, b"", number)
                original = proxy.caught(is_small)
                autopilot.take()
                bits = draw.sample(range(8 * len(original)), 25)
                for bit in bits:
                    proxy.to_drone(flipped(original, bit))
                # And what came down is sent back up.
                for captured in draw.sample(proxy.captured, 5):
                    if not captured.is_up:
                        proxy.to_drone(captured.datagram)
                time.sleep(0.02)
                assert autopilot.take() == []
                proxy.release()
                wait_until(lambda: autopilot.take(), 2, "the original passes", every_s=0.01)
    assert stack.dropped("drone")["bad_tag"] > 100


def kinds(messages):
    return [message.get_type() for message in messages]


def read_request():
    """Return the payload of a MAVFTP request that opens a file to read."""
    path = b"@PARAM/param.pck?" + b"x" * 150
    payload = bytes((0, 0, 0, 4, len(path), 0, 0, 0, 0, 0, 0, 0)) + path
    return payload.ljust(251, b"\0")

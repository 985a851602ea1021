"""The link over a serial radio: two pseudo-terminals, joined as a radio joins two ends."""

import re
import select
import threading

import pytest

from tests.e2e.between import BenchAutopilot, LinkProxy
from tests.e2e.pilot import Pilot
from tests.e2e.processes import wait_until
from tests.e2e.stack import NAME, Stack
from tests.e2e.vehicles import Line

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


class Radio:
    """Carries bytes between its two ends; keeps what went through the air."""

    def __init__(self) -> None:
        self.aboard, self.ground = Line(), Line()
        self.air = bytearray()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def _carry(self) -> None:
        ways = {self.aboard: self.ground, self.ground: self.aboard}
        while not self._ended.is_set():
            for readable in select.select(list(ways), [], [], 0.1)[0]:
                data = readable.read()
                self.air += data
                ways[readable].write(data, timeout_s=0.1)

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self.aboard.close()
        self.ground.close()


@pytest.fixture
def radio():
    radio = Radio()
    yield radio
    radio.close()


@pytest.fixture
def proxy():
    proxy = LinkProxy()
    yield proxy
    proxy.close()


def add_radio(stack, radio, *, only):
    drone, ground = stack.configs["drone"], stack.configs["ground"]
    drone.write_text(drone.read_text() + f'[link.radio]\ndevice = "{radio.aboard.device}"\n')
    text = ground.read_text().replace("[[drone]]", f'[[drone]]\ndevice = "{radio.ground.device}"')
    ground.write_text(re.sub('\naddress = "[^"]*"', "", text) if only else text)


def path(stack):
    return stack.status("ground")["peers"][NAME]["path"]


def ask_for_parameter(pilot, autopilot, number):
    """Send a request until it arrives at the autopilot."""

    def arrived():
        pilot.connection.mav.param_request_read_send(1, 1, b"", number)
        pilot.listen(0.3)
        return any(
            m.get_type() == "PARAM_REQUEST_READ" and m.param_index == number
            for m in autopilot.take()
        )

    wait_until(arrived, 5, f"request {number} arrives")


def test_over_the_radio_alone(line, radio, tmp_path):
    stack = Stack(tmp_path, line.device)
    add_radio(stack, radio, only=True)
    try:
        with BenchAutopilot(line) as autopilot:
            stack.start()
            stack.await_link()
            stack.await_autopilot()
            with Pilot(f"udpout:127.0.0.1:{stack.udp_port}") as pilot:
                pilot.until(lambda: "HEARTBEAT" in pilot.latest, 10, "a heartbeat")
                ask_for_parameter(pilot, autopilot, 7)
            wait_until(  # the ratchet has fitted through the radio: 5 % of 57,600 baud
                lambda: stack.status("drone")["peers"][only_peer(stack)]["psk_generation"] == 1,
                40,
                "the pre-shared key is replaced",
                0.5,
            )
        for of in (stack.status("drone"), stack.status("ground")["peers"][NAME]):
            assert of["radio"]["line"] == "open"
        frames = bytes(radio.air).split(b"\0")
        assert max(map(len, frames)) <= 241
        assert bytes((0, 0, 0, 0, 2, 3, 81, 3, 3)) not in radio.air  # no plain heartbeat
    finally:
        print(stack.report())


def only_peer(stack):
    return next(iter(stack.status("drone")["peers"]))


def test_wifi_fails_and_returns_without_a_handshake(line, radio, proxy, tmp_path):
    stack = Stack(tmp_path, line.device, called=proxy.port)
    proxy.drone_port = stack.link_port
    add_radio(stack, radio, only=False)
    try:
        with BenchAutopilot(line) as autopilot:
            stack.start()
            stack.await_link()
            stack.await_autopilot()
            with Pilot(f"udpout:127.0.0.1:{stack.udp_port}") as pilot:
                pilot.until(lambda: "HEARTBEAT" in pilot.latest, 10, "a heartbeat")
                wait_until(
                    lambda: stack.status("drone")["peers"][only_peer(stack)]["psk_generation"] == 1,
                    20,
                    "the ratchet and its handshake are over",
                )
                ask_for_parameter(pilot, autopilot, 1)
                assert path(stack) == "udp"
                handshakes = stack.status("drone")["link"]["handshakes"]
                proxy.drone_port = 9  # what goes up is lost
                proxy.hold_back()
                wait_until(lambda: path(stack) == "radio", 5, "the radio is used")
                ask_for_parameter(pilot, autopilot, 2)
                proxy.drone_port = stack.link_port
                proxy.release()
                wait_until(lambda: path(stack) == "udp", 5, "back to the address")
                ask_for_parameter(pilot, autopilot, 3)
                assert stack.status("drone")["link"]["handshakes"] == handshakes
    finally:
        print(stack.report())

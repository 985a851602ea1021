"""Two operators at two gateways of one drone, each with the console, and tools beside them.

Mutants killed: a page that may act without command; dual control that lets the asker confirm; what
the drone refuses not shown; the question of another station not shown.
"""

import contextlib
import re
import socket
from collections.abc import Iterator

import pytest
from pymavlink import mavutil
from pymavlink.dialects.v20 import ardupilotmega as dialect

from tests.e2e.mavproxy import MavProxy
from tests.e2e.processes import wait_until
from tests.e2e.second import Second, await_both
from tests.e2e.stack import NAME, Stack, running
from tests.e2e.vehicles import EmbeddedAutopilot

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install it")

from tests.e2e.browser import CONSOLE, Browser, hold, slide  # noqa: E402

pytestmark = [*CONSOLE, pytest.mark.slow]
expect = playwright.expect


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Iterator[tuple[Stack, Second]]:
    """A drone under dual control that stands ready, and two commanders' gateways."""
    vehicle = EmbeddedAutopilot(tmp_path_factory.mktemp("vehicle"), speedup=1, ekf_ready_s=1)
    directory = tmp_path_factory.mktemp("stack")
    stack = Stack(directory, vehicle.device)
    with stack.configs["drone"].open("a") as config:
        config.write("[policy]\ndual_control = true\n")
    second = Second(stack, directory, "commander")
    with stack.configs["ground"].open("a") as config:
        config.write(f'[stations]\n"Hill top" = "{second.id}"\n')
    with running(stack, vehicle):
        try:
            second.start()
            await_both(stack, second)
            yield stack, second
        finally:
            second.stop()


@pytest.fixture
def pages(driver, two):
    """The consoles of the first station, which commands, and of the second."""
    stack, second = two
    with Browser(driver, stack) as browser:
        first = browser.enter()
        other = browser.enter(page=browser.new_page(), state=second.state)
        for page in (first, other):
            expect(page.locator(".timers")).to_have_text("On ground")
        clear = first.get_by_role("button", name="Clear navigation alarm")
        if clear.is_visible():
            clear.click()
        expect(word(first)).to_have_text(re.compile("READY"))
        yield first, other
        assert browser.complaints == []


def word(page):
    return page.locator("#fleet .state").first


def in_command(page):
    return page.locator(".secure .fact", has_text="In command").locator("dd")


def note(page):
    return page.locator("#strip .note")


def own_id(page):
    return page.locator(".secure .own-id").inner_text().split()[-1]


def hand_over(giver, taker, name=None):
    """By the taker's name, which then shows, or by its id where it has none."""
    giver.get_by_role("button", name="Hand over …").click()
    if name:
        giver.locator("#strip select").select_option(label=name)
        expect(giver.get_by_label("Its id", exact=True)).to_be_hidden()
    else:
        giver.get_by_label("Its id", exact=True).fill(own_id(taker))
    slide(giver)
    taker.get_by_role("button", name="Accept command").click()
    expect(in_command(taker)).to_have_text("this station")
    shown = name or f"station {own_id(taker)[:8]}"
    expect(in_command(giver)).to_have_text(shown)


def arm(page):
    # On a busy machine the simulated receiver may fall behind for a moment: arming fails then; or
    # presence may, and the autopilot disarms.
    for _ in range(5):
        page.click(".action.arm")
        slide(page)
        expect(note(page)).to_contain_text(re.compile("accepted|FAILED"))
        with contextlib.suppress(AssertionError):
            expect(word(page)).to_contain_text("ARMED", timeout=5_000)
            break
    expect(word(page)).to_contain_text("ARMED")


def disarm(page):
    page.click(".action.disarm")
    slide(page)
    expect(page.locator(".timers")).to_have_text("On ground")


def test_command_is_handed_over_and_back(pages):
    first, other = pages
    expect(in_command(first)).to_have_text("this station")
    other.click(".action.arm", force=True)
    expect(note(other)).to_have_text("Arm: Another station commands")
    hand_over(first, other, "Hill top")
    arm(other)
    first.click(".action.disarm", force=True)
    expect(note(first)).to_have_text("Disarm: Another station commands")
    expect(word(first)).to_contain_text("ARMED")  # whoever watches sees the same
    disarm(other)
    hand_over(other, first)
    other.click(".action.arm", force=True)
    expect(note(other)).to_have_text("Arm: Another station commands")
    arm(first)
    disarm(first)


def test_an_emergency_stop_takes_both(pages):
    first, other = pages
    arm(first)
    first.locator(".cover").click()
    hold(first, first.locator("#strip .hold"))
    question = other.locator(".strip.challenge")
    expect(question).to_contain_text("another tool or station")
    first.wait_for_timeout(1500)  # the asker's own answer does not count
    expect(word(first)).to_contain_text("ARMED")
    hold(other, question.get_by_role("button", name=f"Hold: confirm for {NAME}"))
    expect(first.locator(".timers")).to_have_text("On ground")


def test_an_attack_on_the_drone_alone(pages, two):
    first, other = pages
    stack, _ = two
    plain = bytes(
        dialect.MAVLink_command_long_message(1, 1, 400, 0, 0, 21196, 0, 0, 0, 0, 0).pack(
            dialect.MAVLink(None, srcSystem=255, srcComponent=190)
        )
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attacker:
        for _ in range(20):
            attacker.sendto(plain, ("127.0.0.1", stack.link_port))
    for page in (first, other):
        alarm = page.locator("#alarm.active")
        expect(alarm).to_contain_text("UNDER ATTACK")
        expect(alarm).to_contain_text("20 unsealed refused aboard in 10 s")
        unsealed = page.locator(".secure .fact", has_text="Unsealed").locator("dd")
        expect(unsealed).to_have_text("0, 20 aboard")


def test_tools_beside_the_console(pages, two, tmp_path):
    """MAVProxy, MAVSDK and pymavlink at once, on their endpoints, while an operator flies."""
    sdk_module = pytest.importorskip("tests.e2e.sdk", reason="no mavsdk: pip install it")
    first, _ = pages
    stack, _ = two
    mavproxy = MavProxy(tmp_path, stack.tcp_port, "tcp")
    tool = mavutil.mavlink_connection(f"udpout:127.0.0.1:{stack.udp_port}", source_system=254)
    try:
        with sdk_module.Sdk(f"udpin://127.0.0.1:{stack.out_port}") as sdk:
            arm(first)
            wait_until(sdk.telemetry.armed, 20, "MAVSDK sees it armed")
            mavproxy.process.expect("ARMED", 20)

            def heard():
                tool.mav.heartbeat_send(6, 8, 0, 0, 0)
                message = tool.recv_match(type="HEARTBEAT", blocking=True, timeout=1)
                return (
                    message is not None
                    and message.get_srcSystem() == 1
                    and (message.base_mode & 128)
                )

            wait_until(heard, 20, "pymavlink sees it armed")
            disarm(first)
            wait_until(lambda: not sdk.telemetry.armed(), 20, "MAVSDK sees it disarmed")
            mavproxy.process.expect("DISARMED", 20)
    finally:
        tool.close()
        mavproxy.stop()
    expect(word(first)).to_contain_text("READY")

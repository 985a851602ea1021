"""The console as an operator has it: Debian's Chromium, the real gateway, companion and autopilot.

Mutants killed: a slide that stops short counts; a press holds; what is stale stays black; the alarm
follows only the selected drone; text is set as markup; the page asks elsewhere for a font; a theme
with too little contrast; the strip stays open for ever.
"""

import contextlib
import re
import signal
from collections.abc import Iterator

import pytest
from pymavlink import mavutil
from pymavlink.dialects.v20 import ardupilotmega as dialect

from tests.e2e.between import LinkProxy
from tests.e2e.stack import NAME, Stack, running
from tests.e2e.vehicles import EmbeddedAutopilot

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install it")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe: pip install it")

from tests.e2e.browser import CONSOLE, Browser, hold, hold_key, slide  # noqa: E402
from tests.e2e.looks import SIZES, check_accessibility, check_nothing_runs_over  # noqa: E402

pytestmark = [*CONSOLE]
expect = playwright.expect


@pytest.fixture(scope="module")
def air(tmp_path_factory) -> Iterator[tuple[Stack, LinkProxy]]:
    """A stack with a drone that stands ready, and what is between it and the ground."""
    vehicle = EmbeddedAutopilot(tmp_path_factory.mktemp("vehicle"), speedup=1, ekf_ready_s=1)
    proxy = LinkProxy()
    stack = Stack(tmp_path_factory.mktemp("stack"), vehicle.device, proxy.port)
    proxy.drone_port = stack.link_port
    with contextlib.closing(proxy), running(stack, vehicle):
        yield stack, proxy


@pytest.fixture(scope="module")
def ready(air) -> Stack:
    return air[0]


@pytest.fixture
def page(browser):
    page = browser.enter()
    expect(page.locator(".timers")).to_have_text("On ground")
    # The monitor may have taken the flight before for a deception: say that it has been seen.
    clear = page.get_by_role("button", name="Clear navigation alarm")
    expect(word(page)).to_have_text(re.compile("READY|NAV SUSPECT"))
    if clear.is_visible():
        clear.click()
    expect(word(page)).to_have_text(re.compile("READY"))
    return page


def word(page):
    return page.locator(".word")


def cell(page, label):
    return page.locator(".cell", has=page.locator("dt", has_text=re.compile(f"^{label}$"))).locator(
        ".value"
    )


def note(page):
    return page.locator("#strip .note")


def choose(page, how, name, key):
    if how == "mouse":
        page.click(f".action.{name}")
    else:
        page.keyboard.press(key)


def do(page, how):
    """Make the gesture of the open strip."""
    button = page.locator("#strip .hold")
    if how == "keyboard":
        if page.locator("#strip input").count():
            page.keyboard.press("Tab")
        hold_key(page)
    elif button.count():
        hold(page, button)
    else:
        slide(page)


@pytest.mark.parametrize("how", ["mouse", "keyboard"])
def test_a_whole_flight(page, how):
    choose(page, how, "arm", "a")
    expect(page.locator(".checklist .good")).to_have_count(5)
    do(page, how)
    expect(note(page)).to_contain_text("accepted")
    expect(word(page)).to_contain_text("ARMED")
    choose(page, how, "takeoff", "t")
    page.locator("#strip input").fill("5")
    expect(page.locator(".sentence")).to_have_text(
        f"{NAME} climbs to 5 m above home and holds there."
    )
    do(page, how)
    expect(word(page)).to_contain_text("FLYING")
    altitude = cell(page, "Above home")
    expect(altitude).to_have_text(re.compile(r"(4\.[5-9]|5)"))
    expect(page.locator(".timers")).to_contain_text("Flying")
    if how == "mouse":
        box = page.locator("#map").bounding_box()
        page.mouse.click(
            box["x"] + box["width"] / 2 + 90, box["y"] + box["height"] / 2, button="right"
        )
    else:
        page.locator("#map").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator(".leaflet-pan-anim")).to_have_count(0)  # the map glides
        page.keyboard.press("k")
    expect(page.locator("#map-note")).to_contain_text("Marked")
    choose(page, how, "goto", "g")
    do(page, how)
    expect(note(page)).to_contain_text("accepted")
    home = cell(page, "Home")
    expect(home).to_have_text(re.compile(r"[1-9]\d m"))
    choose(page, how, "pause", "p")  # one press, nothing else
    expect(page.locator("p.mode")).to_have_text("BRAKE")
    if how == "mouse":
        choose(page, how, "rtl", "r")
        do(page, how)
        expect(page.locator("p.mode")).to_have_text("RTL")
    else:
        choose(page, how, "land", "l")
        do(page, how)
        expect(page.locator("p.mode")).to_have_text("LAND")
    expect(page.locator(".timers")).to_have_text("On ground", timeout=90_000)
    accepted = page.locator("#orders .good .text").all_inner_texts()[:5]
    assert len(accepted) == 5
    assert all(text.startswith((NAME, f"The motors of {NAME}")) for text in accepted)


def test_a_gesture_is_whole_or_nothing(page):
    orders = page.locator("#orders .text").all_inner_texts()
    page.click(".action.arm")
    slide(page, 0.8)
    page.locator("#strip .thumb").click()
    hold_key(page, milliseconds=300)
    expect(word(page)).to_contain_text("READY")
    page.keyboard.press("Escape")
    expect(page.locator("#strip")).to_be_hidden()
    page.click(".action.arm")
    page.click(".action.mode")  # one at a time
    expect(page.locator(".slide")).to_have_count(1)
    expect(page.locator("#strip")).to_be_hidden()  # and not for ever
    page.click(".action.rtl", force=True)
    expect(note(page)).to_have_text("Return: Only in flight")
    page.click(".cover", force=True)
    expect(note(page)).to_have_text("Emergency stop: Not armed")
    assert page.locator("#orders .text").all_inner_texts() == orders


def test_the_drone_asks_back(page, air):
    stack, _ = air
    tool = mavutil.mavlink_connection(f"tcp:127.0.0.1:{stack.tcp_port}", source_system=255)
    try:
        tool.wait_heartbeat(timeout=5)
        tool.mav.command_long_send(1, 1, dialect.MAV_CMD_DO_FLIGHTTERMINATION, 0, 1, *[0] * 6)
        expect(page.locator(".strip.challenge")).to_contain_text("FLIGHTTERMINATION")
        expect(page.locator(".strip.challenge")).to_contain_text("another tool or station")
        page.get_by_role("button", name="No", exact=True).click()
        expect(page.locator(".strip.challenge")).to_be_hidden()
        answer = tool.recv_match(type="COMMAND_ACK", blocking=True, timeout=5)
        assert answer.result == dialect.MAV_RESULT_IN_PROGRESS
        answer = tool.recv_match(type="COMMAND_ACK", blocking=True, timeout=10)
        assert answer.result == dialect.MAV_RESULT_DENIED  # once its time is over
    finally:
        tool.close()


def test_an_attack_cannot_be_missed(page, air):
    _, proxy = air
    old = [captured.datagram for captured in proxy.captured if not captured.is_up][-30:]
    for datagram in old:
        proxy.to_ground(datagram)
    alarm = page.locator("#alarm")
    expect(alarm).to_have_class(re.compile("active"))
    expect(alarm).to_contain_text(f"{NAME}: UNDER ATTACK")
    expect(page.locator("#announce")).to_contain_text("UNDER ATTACK")
    expect(page.locator(".secure")).to_have_attribute("data-level", "alarm")
    box = alarm.bounding_box()
    assert box["width"] >= 0.95 * 1440
    expect(alarm).to_contain_text("attack over")
    page.get_by_role("button", name="Dismiss").click()
    expect(alarm).to_be_hidden()


def test_a_lost_link_greys_everything(page, air):
    stack, _ = air
    expect(page.locator(".cell.stale")).to_have_count(0)
    stack.processes["drone"].send_signal(signal.SIGSTOP)
    try:
        expect(word(page)).to_contain_text("LINK LOST")
        expect(page.locator("#alarm.active")).to_be_visible()
        battery = page.locator(".cell", has_text="Battery")
        expect(battery).to_have_class(re.compile("stale"))
        expect(battery.locator(".age")).to_have_text(re.compile(r"\d s"))
        expect(page.locator(".attitude")).to_have_class(re.compile("stale"))
        expect(page.locator(".action:not([aria-disabled])")).to_have_count(0)
        page.click(".action.arm", force=True)
        expect(note(page)).to_have_text("Arm: No link")
    finally:
        stack.processes["drone"].send_signal(signal.SIGCONT)
    expect(word(page)).to_contain_text("READY")
    expect(page.locator(".cell.stale")).to_have_count(0)


def test_a_silent_gateway_greys_everything(page, air):
    stack, _ = air
    orders = page.locator("#orders .text").all_inner_texts()
    stack.processes["ground"].send_signal(signal.SIGSTOP)
    try:
        expect(word(page)).to_contain_text("NO GATEWAY")
        expect(page.locator(".cell.stale").first).to_be_visible()
        page.click(".action.arm", force=True)
        slide(page)
        expect(note(page)).to_have_text(f"Arm, {NAME}: not sent. The gateway did not answer")
    finally:
        stack.processes["ground"].send_signal(signal.SIGCONT)
    # What was asked of a gateway that stood still is too old when it goes on.
    expect(word(page)).to_contain_text("READY")
    assert page.locator("#orders .text").all_inner_texts() == orders


def test_a_viewer_has_no_actions(browser):
    page = browser.enter("viewer")
    expect(page.locator("#who")).to_contain_text("only watches")
    expect(page.locator("#bar")).to_be_hidden()
    page.keyboard.press("a")
    expect(note(page)).to_have_text("Arm: This page only watches")


def test_accessibility(page, air):
    check_accessibility(page)
    page.click(".action.arm")
    check_accessibility(page)
    page.keyboard.press("Escape")
    page.click("#help")
    check_accessibility(page)
    page.keyboard.press("Escape")
    stack, _ = air
    stack.processes["drone"].send_signal(signal.SIGSTOP)
    try:
        expect(page.locator("#alarm.active")).to_be_visible()
        page.locator(".cell.stale").first.wait_for()
        check_accessibility(page)
    finally:
        stack.processes["drone"].send_signal(signal.SIGCONT)
    expect(page.locator("#alarm.active")).to_be_hidden(timeout=15_000)


@pytest.mark.parametrize("size", SIZES)
def test_nothing_runs_over(page, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    check_nothing_runs_over(page, "button, .word, .fact dd, .cell .value, h2")
    box = page.locator(".cover").bounding_box()
    assert box["x"] + box["width"] <= size[0]
    assert box["y"] + box["height"] <= size[1]


def test_what_a_drone_says_stays_text(driver, bench, line):
    """Absurd values and markup from aboard: shown as dashes and as text, run by nobody."""
    bench.start()
    packer = dialect.MAVLink(None, srcSystem=1, srcComponent=1)
    nan, huge = float("nan"), 1e38
    texts = [
        b"<img src=x onerror=alert(1)>",
        b"<script>alert(2)</script>",
        b"\x1b[31m\xe2\x80\xae!",
    ]

    def speak(_=None):
        for message in (
            dialect.MAVLink_heartbeat_message(2, 3, 81, 4_000_000_000, 3, 3),
            dialect.MAVLink_attitude_message(0, nan, huge, -huge, nan, nan, nan),
            dialect.MAVLink_vfr_hud_message(nan, huge, 32767, 65535, nan, nan),
            dialect.MAVLink_wind_message(huge, nan, nan),
            dialect.MAVLink_ekf_status_report_message(0, nan, huge, nan, nan, nan),
            dialect.MAVLink_global_position_int_message(0, 2**31 - 1, -(2**31), 0, 0, 0, 0, 0, 0),
            *(dialect.MAVLink_statustext_message(2, text) for text in texts),
        ):
            line.write(bytes(message.pack(packer)))

    speak()
    bench.await_link()
    with Browser(driver, bench) as browser:
        page = browser.enter()
        speak()
        expect(page.locator("#messages")).to_contain_text("<script>alert(2)</script>")
        expect(page.locator("#messages")).to_contain_text("?[31m?!")
        expect(cell(page, "Air speed")).to_have_text("\u2013")
        expect(page.locator("p.mode")).to_have_text("MODE 4000000000")
        assert page.locator("#messages img, #messages script").count() == 0
        assert browser.complaints == []


def test_a_page_of_an_earlier_start(driver, bench, line):
    bench.start()
    with Browser(driver, bench) as browser:
        page = browser.enter()
        bench.stop("ground")
        expect(page.locator("#gateway")).to_contain_text("No gateway")
        bench.start("ground")
        expect(page.locator("#gateway")).to_contain_text("Not let in")
        browser.enter(page=page)
        expect(page.locator("#gateway")).to_have_text("Gateway connected")

"""Recorded flights at the console, as an operator sees them: Debian's Chromium, a real recording.

To be tried: keys give orders during a replay; the live alarm is hidden by it; the replay's frame
is that of the live panel; time goes on while it is paused; a text from aboard is set as markup.
"""

import re
import signal
from collections.abc import Iterator

import pytest

from crypto.aio.log_files import list_logs
from tests.e2e.pilot import Pilot
from tests.e2e.processes import wait_until
from tests.e2e.stack import NAME, Stack, running
from tests.e2e.vehicles import EmbeddedAutopilot

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install it")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe: pip install it")

from tests.e2e.browser import CONSOLE  # noqa: E402
from tests.e2e.looks import check_accessibility, check_nothing_runs_over  # noqa: E402

pytestmark = [*CONSOLE, pytest.mark.slow]
expect = playwright.expect


@pytest.fixture(scope="module")
def ready(tmp_path_factory) -> Iterator[Stack]:
    """A stack whose drone has flown once, and stands on the ground again."""
    vehicle = EmbeddedAutopilot(tmp_path_factory.mktemp("vehicle"), speedup=2, ekf_ready_s=1)
    with running(Stack(tmp_path_factory.mktemp("stack"), vehicle.device), vehicle) as stack:
        with Pilot(f"tcp:127.0.0.1:{stack.tcp_port}") as pilot:
            pilot.connect()
            pilot.set_mode(4)
            pilot.arm(60)
            pilot.take_off(8, 60)
            pilot.set_mode(9)
            pilot.until(lambda: not pilot.is_armed(), 90, "landed and disarmed")
            recorder = lambda: stack.status("ground")["peers"][NAME]["recorder"]  # noqa: E731
            wait_until(lambda: recorder()["state"] == "idle", 60, "the recording's end")
        yield stack


@pytest.fixture
def page(browser):
    page = browser.enter()
    page.get_by_role("button", name="Flights").click()
    expect(page.locator(".flights-table tbody tr")).to_have_count(1)
    return page


@pytest.fixture
def replay(page):
    page.get_by_role("button", name="Open flights").click()
    expect(page.locator(".replay-banner")).to_be_visible()
    expect(page.locator(".replay-clock")).to_have_text(re.compile("^00:00 / "))
    return page


def seconds(page):
    minutes, rest = page.locator(".replay-clock").inner_text().split(" / ")[0].split(":")
    return 60 * int(minutes) + int(rest)


def altitude(page):
    return float(page.locator(".replay-side .cell .value").first.inner_text())


def test_the_list_says_what_is_there(page):
    row = page.locator(".flights-table tbody tr")
    expect(row).to_contain_text(NAME)
    expect(row).to_contain_text("whole")
    expect(row).to_contain_text("on the ground")
    check_accessibility(page)


def test_a_replay_by_mouse(replay):
    page = replay
    expect(page.locator(".replay-banner")).to_contain_text("REPLAY, NOT LIVE")
    expect(page.locator(".replay-state")).to_have_text("paused")
    # To the event, and on from there.
    page.locator(".replay-events button", has_text="Disarmed").click()
    wait_until(lambda: seconds(page) > 5, 60, "the event's time")
    expect(page.locator(".replay-mode")).to_contain_text("on ground")
    landed = seconds(page)
    page.locator(".replay-slider").fill(str(landed / 2))
    wait_until(lambda: altitude(page) > 2, 60, "it was in the air")
    still = seconds(page)
    page.wait_for_timeout(1500)
    assert seconds(page) == still
    page.select_option(".replay-transport select", "4")
    page.locator(".replay-play").click()
    expect(page.locator(".replay-state")).to_have_text("playing \N{MULTIPLICATION SIGN}4")
    wait_until(lambda: seconds(page) >= still + 3, 60, "time goes on")
    wait_until(lambda: altitude(page) < 0.5, 60, "it lands again")
    check_accessibility(page)
    page.get_by_role("button", name="Close the replay").click()
    expect(page.locator(".flights-table")).to_be_visible()
    expect(page.locator("#bar")).to_be_visible()


def test_a_replay_by_keyboard_orders_nothing(replay, ready):
    page = replay
    before = ready.status("ground")["peers"][NAME]["link"]["frames_up"]
    page.keyboard.press("End")
    wait_until(lambda: seconds(page) > 5, 60, "the end")
    end = seconds(page)
    page.keyboard.press("ArrowLeft")
    wait_until(lambda: seconds(page) in (end - 1, end - 2), 60, "a second back")
    page.keyboard.press("Home")
    wait_until(lambda: seconds(page) == 0, 60, "the beginning")
    page.keyboard.press("]")
    page.keyboard.press("+")
    page.keyboard.press("Space")
    expect(page.locator(".replay-state")).to_have_text("playing \N{MULTIPLICATION SIGN}2")
    # What would arm, take off and stop the motors is not even offered.
    for key in "artnlpmghvde":
        page.keyboard.press(key)
    expect(page.locator("#bar")).to_be_hidden()
    expect(page.locator("#strip")).to_be_hidden()
    page.keyboard.press("Space")
    expect(page.locator(".replay-state")).to_have_text("paused")
    page.keyboard.press("Escape")
    expect(page.locator(".flights-table")).to_be_visible()
    drone = ready.status("drone")["autopilot"]
    assert drone["state"] == "disarmed"
    frames = ready.status("ground")["peers"][NAME]["link"]["frames_up"] - before
    assert frames < 200  # heartbeats of the console, and its asking for rates


def test_the_real_fleet_s_alarm_stays_on_top(replay, ready):
    page = replay
    page.locator(".replay-play").click()
    ready.processes["drone"].send_signal(signal.SIGSTOP)
    try:
        expect(page.locator("#alarm.active")).to_be_visible(timeout=20_000)
        expect(page.locator("#alarm")).to_contain_text(NAME)
        alarm, banner = (page.locator(s).bounding_box() for s in ("#alarm", ".replay-banner"))
        assert alarm["y"] + alarm["height"] <= banner["y"]
        expect(page.locator(".replay-banner")).to_be_visible()
        check_accessibility(page)
    finally:
        ready.processes["drone"].send_signal(signal.SIGCONT)
    expect(page.locator("#alarm.active")).to_be_hidden(timeout=60_000)


@pytest.mark.parametrize("size", [(1024, 768), (1440, 900), (3840, 2160)])
def test_nothing_runs_over(replay, size):
    page = replay
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.keyboard.press("End")
    wait_until(lambda: seconds(page) > 5, 60, "the end")
    check_nothing_runs_over(page, ".view button, .view .cell .value, .view strong")
    box = page.locator(".replay-play").bounding_box()
    assert box["y"] + box["height"] <= size[1]


def test_the_panel_says_what_the_recorder_does(browser):
    page = browser.enter()
    cell = page.locator(".cell", has=page.locator("dt", has_text=re.compile("^Recorder$")))
    expect(cell.locator(".value")).to_have_text("ready")


def test_a_viewer_may_look_back(browser):
    page = browser.enter("viewer")
    page.get_by_role("button", name="Flights").click()
    page.get_by_role("button", name="Open flights").click()
    expect(page.locator(".replay-banner")).to_be_visible()


def test_without_the_key_nothing_opens(browser, ready):
    """It lies on a stick that is not there."""
    key = ready.ground_state / "log-keys/log-private.key"
    key.rename(key.with_suffix(".away"))
    try:
        page = browser.enter()
        page.get_by_role("button", name="Flights").click()
        expect(page.locator(".flights-note")).to_contain_text("log-private.key")
        expect(page.locator(".flights-table tbody tr")).to_have_count(1)
        expect(page.get_by_role("button", name="Open flights")).to_have_count(0)
    finally:
        key.with_suffix(".away").rename(key)


def test_nothing_was_written_in_the_clear(ready):
    """A replay reads the sealed file; beside it there is nothing."""
    logs = ready.ground_state / "logs"
    files = {path for path in logs.rglob("*") if path.is_file()}
    assert files == {path for folder in logs.iterdir() for path in list_logs(folder)}

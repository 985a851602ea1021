"""Pictures of the console in each of its states, taken from the real stack: for `docs/images`.

    python -m tests.e2e.pictures docs/images

A simulated autopilot flies, companion and gateway run as processes, Debian's Chromium looks on. The
pictures are for people to judge and for the documents; nothing compares them.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright
from pymavlink import mavutil
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from crypto.aio.log_files import list_logs
from tests.e2e.between import LinkProxy
from tests.e2e.browser import Browser, slide
from tests.e2e.processes import ENVIRONMENT
from tests.e2e.stack import NAME, SEKISHO, Stack
from tests.e2e.vehicles import HOME, EmbeddedAutopilot

CORNERS = ((70, 0), (70, 110), (-60, 110), (-60, 0))  # within the circle of 150 m
FENCE = ((110, -60), (110, 160), (-100, 160), (-100, -60))
METRES = 111_319.5


def place(north: float, east: float) -> tuple[int, int]:
    return round((HOME[0] + north / METRES) * 1e7), round((HOME[1] + east / METRES / 0.8155) * 1e7)


def upload(connection, kind: int, items: list) -> None:
    """Give the vehicle a mission or a fence, as ground software does."""
    connection.mav.mission_count_send(1, 1, len(items), kind)
    while True:
        asked = connection.recv_match(
            type=["MISSION_REQUEST", "MISSION_REQUEST_INT", "MISSION_ACK"], blocking=True, timeout=5
        )
        assert asked is not None
        if asked.get_type() == "MISSION_ACK":
            assert asked.type == 0, asked
            return
        command, frame, param1, (x, y), z = items[asked.seq]
        connection.mav.mission_item_int_send(
            1, 1, asked.seq, frame, command, 0, 1, param1, 0, 0, 0, x, y, z, kind
        )


def plan(stack: Stack) -> None:
    connection = mavutil.mavlink_connection(f"tcp:127.0.0.1:{stack.tcp_port}", source_system=255)
    connection.wait_heartbeat(timeout=10)
    items = [(16, 0, 0, place(0, 0), HOME[2]), (22, 3, 0, place(0, 0), 20)]
    items += [(16, 3, 0, place(*corner), 25) for corner in CORNERS]
    items += [(20, 3, 0, (0, 0), 0)]
    upload(connection, mavlink.MAV_MISSION_TYPE_MISSION, items)
    upload(
        connection,
        mavlink.MAV_MISSION_TYPE_FENCE,
        [(5001, 0, len(FENCE), place(*corner), 0) for corner in FENCE],
    )
    connection.close()


class Album:
    def __init__(self, page: Page, directory: Path) -> None:
        self._page = page
        self._directory = directory

    def take(self, name: str, size: tuple[int, int] = (1440, 900)) -> None:
        self._page.set_viewport_size({"width": size[0], "height": size[1]})
        self._page.wait_for_timeout(700)
        self._page.screenshot(path=self._directory / f"console-{name}.png", timeout=60_000)
        print(name)


def theme(page: Page, name: str) -> None:
    page.select_option("#theme", name)


def record(directory: Path, home: Path) -> None:
    (home / "vehicle").mkdir()
    vehicle = EmbeddedAutopilot(home / "vehicle", 2)
    proxy = LinkProxy()
    stack = Stack(home / "stack", vehicle.device, proxy.port)
    proxy.drone_port = stack.link_port
    try:
        stack.start()
        stack.await_link()
        stack.await_autopilot()
        plan(stack)
        with sync_playwright() as playwright, Browser(playwright, stack) as browser:
            page, album = browser.enter(), Album(browser.page, directory)
            page.locator(".banner.good").wait_for(timeout=30_000)
            parameters(page, album)
            draft(page, album)
            take_off(page, album)
            look_around(page, album)
            attack(page, album, proxy)
            lose(page, album, stack)
            see_the_world(page, album)
            look_back(page, album)
            print_report(browser.new_page(), stack, directory, home / "report.html")
    finally:
        stack.report()
        proxy.close()
        vehicle.stop()


def parameters(page: Page, album: Album) -> None:
    page.get_by_role("button", name="Parameters").click()
    theme(page, "dark")
    page.get_by_role("button", name="Read from the drone").click()
    page.locator(".p-state", has_text="parameters, ").wait_for(timeout=60_000)
    page.get_by_role("searchbox").fill("RTL")
    for name, value in (("RTL_ALT", "2500"), ("RTL_LOIT_TIME", "3000")):
        page.locator(".p-body .p-row", has_text=name).first.click()
        page.get_by_label(f"Value of {name}").fill(value)
        page.keyboard.press("Enter")
    album.take("parameters")
    page.get_by_role("searchbox").fill("")
    page.get_by_role("button", name="Write 2 to").click()
    page.locator(".p-draft li", has_text="written").nth(1).wait_for(timeout=30_000)
    theme(page, "day")
    album.take("parameters-small", (1024, 768))
    page.get_by_role("button", name="Fly").click()


def draft(page: Page, album: Album) -> None:
    """Plan a survey beside what is aboard, inside a fence."""
    page.locator(".banner.good").wait_for(timeout=30_000)
    page.get_by_role("button", name="Plan", exact=True).click()
    aboard = page.locator(".plan-aboard", has_text="rally points")
    expect(aboard).to_be_visible(timeout=30_000)
    expect(aboard).not_to_contain_text("not read", timeout=30_000)
    page.get_by_role("button", name="Take from drone").click()
    page.locator(".plan-head").nth(6).wait_for()
    page.get_by_role("button", name="Whole plan").click()
    box = page.locator("#map").bounding_box()
    assert box is not None

    def click(*places: tuple[float, float]) -> None:
        for x, y in places:
            page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
            page.wait_for_timeout(400)

    page.locator("[data-tool=rally]").click()
    click((0.52, 0.6))
    page.locator("[data-tool=survey]").click()
    click((0.62, 0.3), (0.78, 0.28), (0.8, 0.66), (0.6, 0.62))
    page.keyboard.press("Enter")
    page.locator(".plan-title", has_text="Survey").wait_for()
    page.locator("[data-tool=select]").click()
    for name in ("night", "day"):
        theme(page, name)
        album.take(f"plan-{name}")
    page.get_by_role("button", name="Compare and send").click()
    page.locator("[data-key=send]:enabled").wait_for(timeout=30_000)
    album.take("plan-compare")
    page.locator("[data-key=send]").click()
    page.locator(".plan-outcome").nth(1).wait_for(timeout=60_000)
    page.keyboard.press("Escape")
    album.take("plan-small", (1024, 768))
    page.set_viewport_size({"width": 1440, "height": 900})
    bring(page, album)
    page.get_by_role("button", name="Fly", exact=True).click()


def bring(page: Page, album: Album) -> None:
    """Let the companion have the survey alone, as one smooth curve."""
    heads = page.locator(".plan-head")
    for left in reversed(range(heads.count() - len(CORNERS), heads.count())):
        heads.nth(1).focus()
        page.keyboard.press("Delete")
        expect(heads).to_have_count(left)
    page.locator(".plan-entry.chosen .plan-head").click()
    part = page.locator(".plan-flight")
    part.locator("summary").click()
    part.get_by_label("Way between the places").select_option("curve")
    part.locator("[data-fly=bring]").click()
    expect(part.locator(".plan-flight-upload.good")).to_be_visible(timeout=60_000)
    album.take("plan-fly")
    page.get_by_role("button", name="Forget what is aboard").click()
    expect(part.locator(".plan-flight-state")).to_have_text("nothing aboard", timeout=30_000)


def take_off(page: Page, album: Album) -> None:
    theme(page, "day")
    page.locator(".banner.good").wait_for(timeout=30_000)
    page.click(".action.arm")
    album.take("arm")
    slide(page)
    page.locator(".word", has_text="ARMED").wait_for()
    page.click(".action.takeoff")
    slide(page)
    page.locator(".word", has_text="FLYING").wait_for()
    time.sleep(4)
    page.click(".action.mission")
    slide(page)
    time.sleep(14)


def look_around(page: Page, album: Album) -> None:
    page.click("#zoom-out")
    for name in ("day", "dark", "night"):
        theme(page, name)
        album.take(f"flying-{name}")
    theme(page, "dark")
    album.take("small", (1024, 768))
    page.set_viewport_size({"width": 1440, "height": 900})
    page.click(".cover")
    album.take("emergency")
    page.keyboard.press("Escape")


def attack(page: Page, album: Album, proxy: LinkProxy) -> None:
    sent = [captured.datagram for captured in proxy.captured if not captured.is_up][-40:]
    for datagram in sent:
        proxy.to_ground(datagram)
    page.locator("#alarm.active").wait_for()
    album.take("attack")
    page.get_by_role("button", name="Dismiss").click(timeout=30_000)


def lose(page: Page, album: Album, stack: Stack) -> None:
    theme(page, "day")
    stack.processes["drone"].send_signal(signal.SIGSTOP)
    try:
        time.sleep(7)
        album.take("lost")
    finally:
        stack.processes["drone"].send_signal(signal.SIGCONT)


def see_the_world(page: Page, album: Album) -> None:
    for _ in range(30):
        page.click("#zoom-out")
    page.wait_for_timeout(1500)
    album.take("world")


def look_back(page: Page, album: Album) -> None:
    theme(page, "dark")
    page.get_by_role("button", name="Flights").click()
    page.get_by_role("button", name="Open flights").first.click()
    page.locator(".replay-banner").wait_for()
    length = float(page.locator(".replay-slider").get_attribute("max") or 0)
    page.locator(".replay-slider").fill(str(round(length * 0.4, 1)))
    page.locator(".replay-play").click()
    album.take("replay")


def print_report(page: Page, stack: Stack, directory: Path, out: Path) -> None:
    (recording, *_) = list_logs(stack.ground_state / "logs" / f"flights-{NAME}")
    key = stack.ground_state / "log-keys/log-private.key"
    argv = [*SEKISHO, "logs", "report", recording, "--key", key, "--out", out]
    subprocess.run(argv, check=True, capture_output=True, timeout=120, env=ENVIRONMENT)
    page.set_viewport_size({"width": 1100, "height": 1500})
    page.goto(out.as_uri())
    page.screenshot(path=directory / "flight-report.png", timeout=60_000)
    print("flight-report")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path)
    directory: Path = parser.parse_args().directory
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sekisho-pictures-") as home:
        record(directory, Path(home))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What a page does whichever way round things come: Debian's Chromium, the real stack, and between
the gateway and the page somebody who holds messages back.

Mutants killed: the map does not look for the drone while something is planned; the drone's first
place moves the map away from the draft; what aboard was before can be sent before reading has
begun; ... or as soon as it is answered that it will be read; the answer that a file has been
compared takes away what came of it.
"""

import json
import re

import pytest

from tests.e2e.vehicles import HOME

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install it")

from tests.e2e.browser import CONSOLE  # noqa: E402

pytestmark = [*CONSOLE]
expect = playwright.expect
FAR = (HOME[0] + 0.02, HOME[1])  # 2 km from the drone
# What can be pressed in each of the next animation frames, for a second.
PRESS = """
async (press) => {
  const [seen, end] = [[], performance.now() + 1000];
  press.click();
  do {
    seen.push(!document.querySelector("[data-key=send]").disabled);
    await new Promise(requestAnimationFrame);
  } while (performance.now() < end);
  return [seen.length, seen.filter(Boolean).length];
}
"""


class Between:
    """Stands between the gateway and a page; what it holds comes later, in order."""

    def __init__(self, page):
        self.hides_places = False
        self.holds = ""  # messages of this type
        self.hidden = 0
        self._page = None
        self._gateway = None
        self._held = []
        page.route_web_socket("**/live", self._connect)

    def _connect(self, page):
        self._page, self._gateway = page, page.connect_to_server()
        self._gateway.on_message(self._pass)

    def _pass(self, text):
        message = json.loads(text)
        if message["t"] == self.holds:
            self._held.append(text)
            return
        if self.hides_places and message["t"] == "picture":
            for drone in message["drones"].values():
                self.hidden += drone.get("groups", {}).pop("position", None) is not None
            text = json.dumps(message)
        self._page.send(text)

    def release(self):
        self.holds, self.hides_places = "", False
        held, self._held = self._held, []
        for text in held:
            self._page.send(text)


@pytest.fixture
def between(browser):
    return Between(browser.page)


def open_plan(page):
    page.get_by_role("button", name="Plan", exact=True).click()
    expect(page.locator(".plan-figures")).to_be_visible()


def add(page):
    page.get_by_role("button", name="Add item").click()


def middle(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def is_in_the_middle(page, locator):
    (x, y), (at_x, at_y) = middle(page.locator("#map")), middle(locator)
    return abs(x - at_x) < 40 and abs(y - at_y) < 40


def test_the_map_finds_the_drone_while_planning(browser, between):
    between.hides_places = True
    page = browser.enter()
    open_plan(page)
    page.get_by_role("button", name="Empty draft").click()
    expect(page.locator(".plan-head")).to_have_count(0)
    page.reload()
    open_plan(page)
    drone = page.locator("#map .drone")
    expect(drone).to_have_count(0)
    assert between.hidden
    between.release()
    expect(drone).to_be_visible()
    assert is_in_the_middle(page, drone)
    # And near it: the scale says how many metres.
    expect(page.locator(".leaflet-control-scale-line")).to_have_text(re.compile(r"^\d\d m$"))


def test_the_drone_s_first_place_moves_no_map_that_shows_a_draft(browser, between):
    page = browser.enter()
    open_plan(page)
    add(page)
    expect(page.locator(".plan-entry.chosen")).to_be_visible()
    for label, value in (("Latitude, °", FAR[0]), ("Longitude, °", FAR[1])):
        box = page.locator(".plan-entry.chosen").get_by_label(label, exact=True)
        box.fill(str(value))
        box.press("Tab")
        expect(box).to_have_value(str(value))
    expect(page.locator(".plan-saved").first).to_have_text("Draft saved")
    between.hides_places = True
    page.reload()
    open_plan(page)
    mark = page.locator(".plan-item")
    expect(mark).to_be_visible()
    assert is_in_the_middle(page, mark)
    drone = page.locator("#map .drone")
    expect(drone).to_have_count(0)
    between.release()
    expect(drone).to_have_count(1)
    assert is_in_the_middle(page, mark)


def test_nothing_can_be_sent_before_reading_has_begun(browser, between):
    page = browser.enter()
    open_plan(page)
    add(page)
    # What is aboard is known, and differs; nothing is under way.
    expect(page.locator(".plan-aboard")).to_contain_text("mission differs")
    between.holds = "view"
    compare = page.get_by_role("button", name="Compare and send")
    frames, pressable = compare.evaluate(PRESS)
    assert frames > 2
    assert pressable == 0
    between.release()
    expect(page.locator("[data-key=send]")).to_be_enabled()


def test_what_came_of_a_file_stays_when_the_answer_comes_after_it(browser, between):
    page = browser.enter()
    page.get_by_role("button", name="Parameters").click()
    page.get_by_role("button", name="Read from the drone").click()
    expect(page.locator(".p-state")).to_have_text(re.compile("parameters, "), timeout=90_000)
    between.holds = "result"
    file = {"name": "a.param", "mimeType": "text/plain", "buffer": b"RTL_LOIT_TIME,7777\n"}
    page.locator(".p-tools input[type=file]").set_input_files(file)
    fault = page.locator(".p-fault")
    expect(fault).to_contain_text("1 in the draft")
    between.release()
    page.evaluate("() => new Promise(requestAnimationFrame)")  # it has come
    assert "1 in the draft" in fault.inner_text()

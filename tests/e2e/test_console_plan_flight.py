"""A draft flown by the companion, as an operator has it: Debian's Chromium, the whole real stack.

What may be asked and when is tested without a browser, with its mutants, in
tests/unit/groundstation/test_plan_flight.py and tests/integration/test_plan_flight.py.
"""

import json
import re

import pytest

from tests.e2e.vehicles import HOME

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install it")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe: pip install it")

from tests.e2e.browser import CONSOLE, box_of, hold, hold_key, slide  # noqa: E402
from tests.e2e.looks import SIZES, check_accessibility, check_nothing_runs_over  # noqa: E402

pytestmark = [*CONSOLE, pytest.mark.slow]
NORTH, EAST = 1e-5 / 1.11, 1e-5 / 1.11 / 0.8157  # degrees in a metre there, nearly
PLACES = ((4, 0, 8), (30, 0, 10), (30, 25, 8))  # north, east, above home [m]
expect = playwright.expect
LONG = 90_000
# How far the marks of the places are from a line [pixels], and its length over that of its chord.
WAY = """
(way) => {
  const length = way.getTotalLength();
  const at = (n) => way.getPointAtLength((n / 500) * length).matrixTransform(way.getScreenCTM());
  const points = [...Array(501).keys()].map(at);
  const apart = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);
  const middle = ({ x, y, width, height }) => ({ x: x + width / 2, y: y + height / 2 });
  const far = [...document.querySelectorAll(".plan-item")]
    .filter((mark) => /^[234]$/.test(mark.innerText))
    .map((mark) => middle(mark.getBoundingClientRect()))
    .map((mark) => Math.min(...points.map((point) => apart(point, mark))));
  return [far, length / apart(points[0], points.at(-1))];
}
"""


@pytest.fixture
def page(browser):
    return browser.enter()


def part(page):
    return page.locator(".plan-flight")


def button(page, key):
    return part(page).locator(f"[data-fly={key}]")


def says(page, key):
    return page.locator(f"#fly-why-{key}")


def state(page):
    return part(page).locator(".plan-flight-state")


def open_view(page):
    page.get_by_role("button", name="Plan", exact=True).click()
    expect(page.locator(".plan-figures")).to_be_visible(timeout=LONG)
    part(page).locator("summary").click()
    expect(button(page, "bring")).to_be_visible()


def take_off(page):
    """Arm and take off, in the view that is open: the bar of actions stays."""
    page.locator(".action.arm").click()
    expect(page.locator(".checklist .good")).to_have_count(5)
    slide(page)
    expect(page.locator("#strip .note")).to_contain_text("accepted", timeout=LONG)
    expect(page.locator(".action.takeoff")).not_to_have_attribute("aria-disabled", "true")
    page.locator(".action.takeoff").click()
    page.locator("#strip input").fill("8")
    slide(page)
    expect(page.locator("#strip .note")).to_contain_text("accepted", timeout=LONG)


def draw(page):
    """Open a draft of take-off, the places, return: how one is drawn is tested elsewhere."""
    spots = [(HOME[0] + n * NORTH, HOME[1] + e * EAST, up) for n, e, up in PLACES]
    items = [(22, (None, None, 20)), *((16, spot) for spot in spots), (20, (0, 0, 0))]
    mission = {
        "version": 2,
        "firmwareType": 3,
        "vehicleType": 2,
        "cruiseSpeed": 15,
        "hoverSpeed": 5,
        "plannedHomePosition": HOME,
        "items": [
            {
                "type": "SimpleItem",
                "autoContinue": True,
                "command": command,
                "doJumpId": number,
                "frame": 2 if command == 20 else 3,
                "params": [0, 0, 0, None, *place],
            }
            for number, (command, place) in enumerate(items, 1)
        ],
    }
    plan = {
        "fileType": "Plan",
        "version": 1,
        "groundStation": "test",
        "mission": mission,
        "geoFence": {"version": 2, "circles": [], "polygons": []},
        "rallyPoints": {"version": 2, "points": []},
    }
    file = {"name": "a.plan", "mimeType": "application/json", "buffer": json.dumps(plan).encode()}
    page.locator("input[type=file]").set_input_files(file)
    expect(page.locator(".plan-status")).to_have_text("a.plan is the draft now")
    expect(page.locator(".plan-head")).to_have_count(len(items))


def bring(page):
    button(page, "bring").click()
    upload = part(page).locator(".plan-flight-upload.good")
    expect(upload).to_be_visible(timeout=LONG)
    expect(upload).to_contain_text("Taken by the drone: 3 places, 5")


def slide_start(page, share=1.0):
    thumb = button(page, "start")
    thumb.evaluate("(node) => node.scrollIntoView({ block: 'center' })")  # not below the buttons
    grip, rail = box_of(thumb), box_of(part(page).locator(".slide"))
    x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + share * (rail["width"] - grip["width"]) + 5 * (share == 1.0), y, steps=8)
    page.mouse.up()


def start(page):
    """Slide as often as it takes the drone to be ready: its loop is a process that starts."""
    answer = part(page).locator(".plan-flight-answer")
    for _ in range(60):
        slide_start(page)
        expect(answer).to_have_text(re.compile("^Start: (done|refused)"))
        said = answer.inner_text()
        if said == "Start: done":
            return
        assert re.search("loop is not running|where it is|often enough", said), said
    raise AssertionError(said)


def test_what_is_left_out_and_what_cannot_be_flown_is_said(page):
    open_view(page)
    draw(page)
    hints = part(page).locator(".plan-hint")
    expect(hints.filter(has_text="3 places of the draft are flown")).to_be_visible()
    expect(hints.first).to_contain_text("Not flown by it: Take-off (item 1), Return (item 5).")
    expect(says(page, "start")).to_have_text("Start: Bring it first")
    expect(button(page, "pause")).to_have_attribute("aria-disabled", "true")
    heads = page.locator(".plan-head")
    for left in (4, 3):
        heads.nth(1).focus()
        page.keyboard.press("Delete")
        expect(heads).to_have_count(left)
    expect(says(page, "bring")).to_contain_text("Only one place to fly to")
    # Who tries it all the same is told by the gateway, and the keyboard stays where it was.
    button(page, "bring").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".plan-status")).to_contain_text("Only one place to fly to")
    expect(button(page, "bring")).to_be_focused()
    for left in (4, 5):
        page.get_by_role("button", name="Undo").click()
        expect(heads).to_have_count(left)
    expect(says(page, "bring")).to_be_hidden()
    check_accessibility(page)


def test_the_way_is_on_the_map_until_the_draft_changes(page, browser):
    open_view(page)
    draw(page)
    ways, legend = page.locator("#map path.plan-way"), part(page).locator(".plan-legend")
    expect(ways).to_have_count(0)
    expect(legend).to_be_hidden()
    page.get_by_label("Way between the places").select_option("curve")
    bring(page)
    expect(ways).to_have_count(2)  # one within the other
    expect(legend).to_have_text("The way as it will be flown")
    page.get_by_role("button", name="Whole plan").click()
    # It goes through the marks of the places, and it is a curve.
    marks = page.locator(".plan-item", has_text=re.compile("^[234]$"))
    expect(marks).to_have_count(3)
    found = ways.first.evaluate(WAY)
    assert max(found[0]) < 3
    assert found[1] > 1.45  # 51 m of legs over 36.1 m make 1.41
    page.locator(".plan-head").nth(1).focus()
    page.keyboard.press("Delete")
    expect(ways).to_have_count(0)
    expect(legend).to_be_hidden()
    expect(part(page)).to_contain_text("The draft has changed since.")
    # Another page that comes sees the way of what is brought next.
    page.get_by_role("button", name="Undo").click()
    button(page, "bring").click()
    expect(ways).to_have_count(2)
    other = browser.enter("viewer", browser.new_page())
    open_view(other)
    expect(other.locator("#map path.plan-way")).to_have_count(2)
    other.get_by_role("button", name="Fly", exact=True).click()
    expect(other.locator("#map path.plan-way")).to_have_count(0)


def test_a_draft_is_brought_started_paused_resumed_and_aborted(page, browser):
    expect(page.locator(".word")).to_have_text(re.compile("READY"), timeout=LONG)
    open_view(page)
    draw(page)
    # In the air: arming sets home, which heights count from.
    take_off(page)
    bring(page)
    expect(says(page, "start")).to_be_hidden(timeout=LONG)
    # A viewer sees it, and has nothing to press. It comes now: a page that loads takes the machine
    # for itself, and a companion whose autopilot falls silent steers no more.
    viewer = browser.new_page()
    browser.enter("viewer", viewer)
    open_view(viewer)
    expect(state(viewer)).to_have_text("aboard, not started")
    check_accessibility(page)
    slide_start(page, 0.8)
    expect(state(page)).to_have_text("aboard, not started")
    thumb = button(page, "start").element_handle()
    start(page)
    expect(state(page)).to_have_text("flying", timeout=LONG)
    off = part(page).locator(".plan-figure", has_text="Off its way").locator("dd")
    expect(off).to_have_text(re.compile(r"^\d\.\d\d m$"))
    button(page, "pause").click()
    expect(state(page)).to_have_text("paused, holding")
    # By the keyboard alone from here.
    button(page, "resume").focus()
    hold_key(page, milliseconds=500)
    expect(state(page)).to_have_text("paused, holding")
    hold_key(page)
    expect(state(page)).to_have_text("flying")
    assert thumb.evaluate("(node) => node.isConnected")
    expect(state(viewer)).to_have_text("flying")
    expect(button(viewer, "abort")).to_have_attribute("title", "This page only watches")
    hold(page, button(page, "abort"))
    expect(state(page)).to_contain_text("ended")
    expect(part(page).get_by_text("Ended: aborted")).to_be_visible()
    check_accessibility(page)
    button(page, "forget").click()
    expect(state(page)).to_have_text("nothing aboard")
    expect(part(page).get_by_text("What was brought is no longer aboard")).to_be_visible()
    page.get_by_role("button", name="Fly", exact=True).click()
    expect(page.locator("main.map #map")).to_be_visible()
    expect(part(page)).to_have_count(0)


@pytest.mark.parametrize("size", SIZES)
def test_nothing_runs_over(page, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    open_view(page)
    check_nothing_runs_over(page, ".plan-flight :is(button, dd, p)")
    side, flight = page.locator(".plan-side").bounding_box(), part(page).bounding_box()
    assert flight["x"] + flight["width"] <= side["x"] + side["width"] + 1
    editor = page.locator(".plan-editor").bounding_box()
    assert editor["height"] > 60
    rail = part(page).locator(".slide").bounding_box()
    assert rail["x"] + rail["width"] <= flight["x"] + flight["width"]
    # Whatever is scrolled: what ends a flight is in sight, and on top.
    for key in ("pause", "resume", "abort"):
        is_on_top = """(node) => {
          const { x, y, width, height } = node.getBoundingClientRect();
          return node.contains(document.elementFromPoint(x + width / 2, y + height - 3));
        }"""
        assert button(page, key).evaluate(is_on_top), key


def test_what_is_old_looks_old(page, browser, ready):
    open_view(page)
    draw(page)
    bring(page)
    expect(state(page)).to_have_text("aboard, not started")
    ready.stop("drone")
    expect(part(page).locator(".plan-flight-state.stale")).to_be_visible(timeout=LONG)
    expect(state(page)).to_contain_text("s ago")
    expect(says(page, "bring")).to_have_text("No link")
    check_accessibility(page)
    browser.complaints.clear()

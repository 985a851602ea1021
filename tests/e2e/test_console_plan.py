"""Planning as an operator has it: Debian's Chromium, the real gateway, companion and autopilot.

The pages' part; what may be asked and what is sent is tested without a browser, with its mutants,
in tests/unit/groundstation/test_plan_console.py and tests/integration/test_planning.py.
"""

import json
import re
import signal

import pytest
from pymavlink import mavutil

from tests.e2e.processes import wait_until
from tests.e2e.stack import NAME
from tests.e2e.vehicles import HOME

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install it")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe: pip install it")

from tests.e2e.browser import CONSOLE, box_of  # noqa: E402
from tests.e2e.looks import SIZES, check_accessibility, check_nothing_runs_over  # noqa: E402

pytestmark = [*CONSOLE]
expect = playwright.expect
LONG = 60_000


@pytest.fixture
def page(browser):
    """An operator's page in the planning view, its draft empty, what is aboard read."""
    page = browser.enter()
    expect(page.locator(".timers")).to_have_text("On ground")
    open_view(page)
    expect(page.locator(".plan-aboard")).not_to_contain_text("not read", timeout=LONG)
    page.get_by_role("button", name="Empty draft").click()
    expect(heads(page)).to_have_count(0)
    return page


def open_view(page):
    page.get_by_role("button", name="Plan", exact=True).click()
    expect(page.locator(".plan-figures")).to_be_visible(timeout=LONG)


def heads(page):
    return page.locator(".plan-head")


def field(page, label):
    return page.locator(".plan-entry.chosen").get_by_label(label, exact=True)


def type_into(page, label, value):
    box = field(page, label)
    box.fill(str(value))
    box.press("Tab")


def add(page, command):
    count = heads(page).count()
    page.get_by_label("What to add").select_option(str(command))
    page.get_by_role("button", name="Add item").click()
    expect(heads(page)).to_have_count(count + 1)


def middle(page):
    box = page.locator("#map").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def click_map(page, *places):
    x, y = middle(page)
    for dx, dy in places:
        page.mouse.click(x + dx, y + dy)


def use(page, tool):
    page.locator(f"[data-tool={tool}]").click()


def send(page):
    """Compare and send everything that differs; wait until it has been read back."""
    page.get_by_role("button", name="Compare and send").click()
    button = page.locator("[data-key=send]")
    expect(page.locator(".plan-send .plan-hint")).to_have_text("", timeout=LONG)
    expect(button).to_be_enabled()
    chosen = page.locator(".plan-kind input:checked").count()
    button.click()
    outcomes, refused = page.locator(".plan-outcome"), page.locator(".plan-status.alarm")
    expect(outcomes.or_(refused).first).to_be_visible(timeout=LONG)
    assert refused.all_inner_texts() == []
    expect(outcomes).to_have_count(chosen, timeout=LONG)
    expect(page.locator(".plan-progress")).to_be_hidden(timeout=LONG)
    return page.locator(".plan-outcome").all_inner_texts()


def aboard(ready, kind):
    """Return a list as another tool reads it from the drone."""
    tool = mavutil.mavlink_connection(f"tcp:127.0.0.1:{ready.tcp_port}", source_system=250)
    try:
        tool.wait_heartbeat(timeout=10)
        of_kind = f"mission_type == {kind}"  # the console may be reading another list
        tool.mav.mission_request_list_send(1, 1, kind)
        told = tool.recv_match(f"MISSION_COUNT.{of_kind}", "MISSION_COUNT", True, 10)
        items = []
        for number in range(told.count):
            tool.mav.mission_request_int_send(1, 1, number, kind)
            wanted = f"MISSION_ITEM_INT.{of_kind} and MISSION_ITEM_INT.seq == {number}"
            items.append(tool.recv_match(wanted, "MISSION_ITEM_INT", True, 10))
        return items
    finally:
        tool.close()


def draw(page):
    """Draw a plan of everything by clicks alone."""
    add(page, 22)
    use(page, "item")
    click_map(page, (60, -60))
    expect(heads(page)).to_have_count(2)
    click_map(page, (150, -60))
    expect(heads(page)).to_have_count(3)
    use(page, "survey")
    click_map(page, (-200, -100), (-80, -100), (-80, 60), (-200, 60))
    page.get_by_role("button", name="Close the polygon").click()
    expect(heads(page)).to_have_count(4)
    use(page, "in")
    click_map(page, (-280, -220), (280, -220), (280, 200), (-280, 200))
    page.keyboard.press("Enter")
    expect(heads(page)).to_have_count(5)
    use(page, "circle")
    click_map(page, (200, 120))
    expect(heads(page)).to_have_count(6)
    type_into(page, "Radius, m", 10)
    use(page, "rally")
    click_map(page, (30, 60))
    expect(heads(page)).to_have_count(7)
    use(page, "select")


def test_by_mouse(page, ready):
    draw(page)
    # A waypoint is dragged.
    mark = page.locator(".plan-item", has_text=re.compile("^3$"))
    mark.click()
    before = field(page, "Latitude, °").input_value()
    box = box_of(mark)
    page.mouse.move(box["x"] + 12, box["y"] + 12)
    page.mouse.down()
    page.mouse.move(box["x"] + 12, box["y"] + 72, steps=6)
    page.mouse.up()
    expect(field(page, "Latitude, °")).not_to_have_value(before)
    page.get_by_role("button", name="Undo").click()
    expect(field(page, "Latitude, °")).to_have_value(before)
    # What would leave the fence is an error, and is not sent.
    use(page, "out")
    click_map(page, (80, -90), (120, -90), (120, -30), (80, -30))
    page.keyboard.press("Enter")
    expect(page.locator(".plan-findings .error").first).to_contain_text("enters zone 3")
    page.get_by_role("button", name="Compare and send").click()
    expect(page.locator(".plan-send")).to_contain_text("enters zone 3")
    expect(page.locator("[data-key=send]")).to_be_disabled()
    page.keyboard.press("Escape")
    page.locator(".plan-entry.chosen").get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator(".plan-findings .error")).to_have_count(0)
    outcomes = send(page)
    assert len(outcomes) == 3
    assert all("aboard is exactly what was sent" in text for text in outcomes)
    fence = aboard(ready, 1)
    assert [item.command for item in fence] == [5001] * 4 + [5004]
    assert fence[4].param1 == 10
    assert len(aboard(ready, 2)) == 1
    commands = [item.command for item in aboard(ready, 0)]
    assert commands[:4] == [16, 22, 16, 16]
    assert len(commands) > 8
    page.keyboard.press("Escape")
    expect(page.locator(".plan-aboard")).to_contain_text("mission same aboard · fence same aboard")


def test_by_keyboard_alone(page, ready):
    """Nothing is clicked: the lists are the editor."""
    page.locator("[data-key=which-command]").focus()
    page.keyboard.type("Take")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(heads(page)).to_have_count(1)
    page.locator("[data-key=which-command]").focus()
    page.keyboard.type("Way")
    for n in range(2):
        page.locator("[data-key=add-items]").focus()
        page.keyboard.press("Enter")
        expect(heads(page)).to_have_count(n + 2)
        place = {"Latitude, °": HOME[0] + 0.0003 * (n + 1), "Longitude, °": HOME[1] + 0.0002}
        for label, value in {**place, "Altitude, m": 30 + n}.items():
            field(page, label).focus()
            page.keyboard.press("Control+a")
            page.keyboard.type(f"{value:.7f}")
            page.keyboard.press("Tab")
    expect(page.locator(".plan-summary").nth(2)).to_have_text("31 m")
    heads(page).nth(2).focus()
    page.keyboard.press("Alt+ArrowUp")
    expect(page.locator(".plan-summary").nth(1)).to_have_text("31 m")
    page.keyboard.press("Control+z")
    expect(page.locator(".plan-summary").nth(2)).to_have_text("31 m")
    page.keyboard.press("Control+Shift+z")
    expect(page.locator(".plan-summary").nth(1)).to_have_text("31 m")
    page.locator("[data-key=add-zone]").focus()
    page.keyboard.press("Enter")
    expect(heads(page)).to_have_count(4)
    page.keyboard.press("Delete")  # not on a line of the list: nothing
    heads(page).nth(3).focus()
    page.keyboard.press("Delete")
    expect(heads(page)).to_have_count(3)
    page.get_by_role("button", name="Compare and send").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".plan-send .plan-hint")).to_have_text("", timeout=LONG)
    page.locator("[data-key=send]").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".plan-outcome.good").first).to_be_visible(timeout=LONG)
    expect(page.locator(".plan-progress")).to_be_hidden(timeout=LONG)
    page.keyboard.press("Escape")
    expect(page.locator(".plan-transfer")).to_be_hidden()
    assert [round(item.z) for item in aboard(ready, 0)][1:] == [20, 31, 30]


def test_what_is_half_typed_survives_what_others_change(page, browser):
    """The gateway's picture comes at any moment: between two keys, and between two fields."""
    other = browser.new_page()
    browser.enter("operator", other)
    open_view(other)
    add(page, 22)
    add(page, 16)
    field(page, "Altitude, m").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("31.")
    add(other, 16)
    expect(heads(page)).to_have_count(3)
    page.keyboard.type("25")
    page.keyboard.press("ArrowLeft")
    add(other, 16)
    expect(heads(page)).to_have_count(4)
    page.keyboard.type("7")
    expect(field(page, "Altitude, m")).to_have_value("31.275")
    page.keyboard.press("Tab")
    expect(page.locator(".plan-entry.chosen .plan-summary")).to_have_text("31.3 m")
    # Two fields of one element within one round trip.
    page.evaluate(
        """() => {
          for (const [label, text] of [["Latitude, °", "-35.3631"], ["Longitude, °", "149.1661"]]) {
            const all = [...document.querySelectorAll(".plan-entry.chosen .plan-field")];
            const field = all.find((each) => each.innerText.startsWith(label));
            const input = field.querySelector("input");
            input.focus();
            input.value = text;
            input.blur();
          }
        }"""
    )
    for part, value in (("Latitude, °", "-35.3631"), ("Longitude, °", "149.1661")):
        expect(field(page, part)).to_have_value(value)
    head = page.locator(".plan-entry.chosen .plan-head")
    head.click()
    heads(page).nth(1).click()
    expect(field(page, "Latitude, °")).to_have_value("-35.3631")
    expect(field(page, "Longitude, °")).to_have_value("149.1661")
    # What is not allowed is said; who leaves it so gets the old value back.
    box = field(page, "Altitude, m")
    box.fill("nonsense")
    page.keyboard.press("Tab")
    assert "allowed: -10000 to 10000" in box.evaluate("(input) => input.validationMessage")
    page.keyboard.press("Tab")
    expect(box).to_have_value("31.275")


def test_a_drag_goes_on_while_others_change_the_draft(page, browser):
    other = browser.new_page()
    browser.enter("operator", other)
    open_view(other)
    add(page, 22)
    add(page, 16)
    mark = page.locator(".plan-item", has_text=re.compile("^2$"))
    before = field(page, "Latitude, °").input_value()
    box = box_of(mark)
    page.mouse.move(box["x"] + 12, box["y"] + 12)
    page.mouse.down()
    add(other, 16)
    expect(heads(page)).to_have_count(3)  # while it is held
    page.mouse.move(box["x"] + 42, box["y"] + 42, steps=3)
    add(other, 16)
    expect(heads(page)).to_have_count(4)  # while it is dragged
    page.mouse.move(box["x"] + 72, box["y"] + 72, steps=3)
    page.mouse.up()
    expect(field(page, "Latitude, °")).not_to_have_value(before)
    expect(page.locator(".plan-item")).to_have_count(3)  # and the two of the other

    def is_there():  # no box while it is drawn anew
        at = mark.bounding_box() or {"x": 0, "y": 0}
        return max(abs(at[axis] - box[axis] - 60) for axis in ("x", "y")) < 2

    wait_until(is_there, 30, "the waypoint stays where it was put")


def test_files(page, browser, tmp_path):
    add(page, 22)
    page.get_by_role("button", name="Add survey").click()
    expect(heads(page)).to_have_count(2)
    with page.expect_download() as started:
        page.get_by_role("button", name="Save file").click()
    assert started.value.suggested_filename == f"{NAME}.plan"
    started.value.save_as(tmp_path / "a.plan")
    plan = json.loads((tmp_path / "a.plan").read_text())
    assert [item["type"] for item in plan["mission"]["items"]] == ["SimpleItem", "ComplexItem"]
    plan["mission"]["items"].append({"type": "ComplexItem", "complexItemType": "StructureScan"})
    (tmp_path / "b.plan").write_text(json.dumps(plan))
    page.locator("input[type=file]").set_input_files(tmp_path / "b.plan")
    expect(page.locator(".plan-status")).to_have_text("b.plan is the draft now")
    expect(page.locator(".plan-findings")).to_contain_text("StructureScan: only QGroundControl")
    for name, text, why in (
        ("c.plan", "{", "the file is no JSON"),
        ("d.plan", json.dumps({**plan, "version": 2}), "version = 2; allowed: 1"),
        ("e.plan", json.dumps(plan).replace("22,", '"22",', 1), "mission.items[0].command"),
    ):
        (tmp_path / name).write_text(text)
        page.locator("input[type=file]").set_input_files(tmp_path / name)
        expect(page.locator(".plan-status")).to_contain_text(why)
        expect(heads(page)).to_have_count(3)
    (tmp_path / "f.plan").write_text(" " * 600_000)
    page.locator("input[type=file]").set_input_files(tmp_path / "f.plan")
    expect(page.locator(".plan-status")).to_contain_text("600000 bytes; allowed: up to 500000")


def test_taken_from_the_drone(page):
    add(page, 22)
    add(page, 16)
    send(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Empty draft").click()
    expect(heads(page)).to_have_count(0)
    page.get_by_role("button", name="Take from drone").click()
    expect(heads(page)).to_have_count(2)
    page.get_by_role("button", name="Undo").click()
    expect(heads(page)).to_have_count(0)


def test_a_viewer_only_watches(page, browser):
    add(page, 22)
    viewer = browser.new_page()
    browser.enter("viewer", viewer)
    open_view(viewer)
    expect(heads(viewer)).to_have_count(1)
    expect(viewer.get_by_role("button", name="Empty draft")).to_be_hidden()
    expect(viewer.get_by_role("button", name="Add item")).to_be_disabled()
    heads(viewer).first.click()
    expect(field(viewer, "Altitude, m")).to_be_disabled()
    page.get_by_role("button", name="Undo").click()
    expect(heads(viewer)).to_have_count(0)


def test_accessibility(page):
    add(page, 22)
    page.get_by_role("button", name="Add survey").click()
    page.get_by_role("button", name="Add zone").click()
    expect(heads(page)).to_have_count(3)
    page.locator(".plan-entry.chosen summary").first.click()
    check_accessibility(page)
    page.get_by_role("button", name="Compare and send").click()
    expect(page.locator(".plan-transfer table").first).to_be_visible(timeout=LONG)
    check_accessibility(page)


@pytest.mark.parametrize("size", SIZES)
def test_nothing_runs_over(page, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    add(page, 22)
    page.get_by_role("button", name="Add survey").click()
    expect(heads(page)).to_have_count(2)
    check_nothing_runs_over(page, ".plan button, .plan dd, .plan h3")
    map_box = page.locator("#map").bounding_box()
    assert map_box["width"] > size[0] / 3
    assert map_box["height"] > size[1] / 3


def test_the_map_goes_back_to_flying(page):
    page.get_by_role("button", name="Fly", exact=True).click()
    expect(page.locator("main.map #map")).to_be_visible()
    expect(page.locator(".panel .word")).to_be_visible()
    expect(page.locator(".plan-item")).to_have_count(0)
    page.locator("#mark").click()
    expect(page.locator("#map-note")).to_contain_text("Marked")


def test_a_draft_survives(page, browser, ready):
    """A page that is loaded again, and a gateway that is killed, lose nothing."""
    add(page, 22)
    add(page, 16)
    type_into(page, "Altitude, m", 33)
    page.reload()
    open_view(page)
    expect(page.locator(".plan-summary").nth(1)).to_have_text("33 m")
    expect(page.locator(".plan-saved").first).to_have_text("Draft saved")
    ready.stop("ground", number=signal.SIGKILL)
    ready.start("ground")
    ready.await_link()
    browser.complaints.clear()  # of the connection that was cut
    browser.enter(page=page)
    open_view(page)
    expect(page.locator(".plan-summary").nth(1)).to_have_text("33 m")
    # A damaged file is put aside by name, and the drone can still be flown.
    ready.stop("ground", number=signal.SIGKILL)
    path = ready.ground_state / "plans" / f"{NAME}.draft.json"
    path.write_bytes(path.read_bytes()[:-10])
    ready.start("ground")
    browser.complaints.clear()
    browser.enter(page=page)
    open_view(page)
    expect(page.locator(".plan-saved").first).to_contain_text("it is kept as")
    wait_until(lambda: path.with_name(path.name + ".damaged").exists(), 5, "it is kept")
    browser.complaints.clear()

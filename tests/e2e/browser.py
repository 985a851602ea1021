"""Debian's Chromium at the console of a stack, and the operator's hand."""

import json
import re
import shutil
from pathlib import Path
from typing import Self

import pytest
from playwright.sync_api import FloatRect, Locator, Page, Playwright

from sekisho.runtime import query, socket_path
from tests.e2e.processes import wait_until
from tests.e2e.stack import Stack

CHROMIUM = shutil.which("chromium")
CONSOLE = (
    pytest.mark.e2e,
    pytest.mark.console,
    pytest.mark.skipif(CHROMIUM is None, reason="no `chromium` on PATH"),
)
PATIENCE_MS = 30_000  # of a busy machine, with what the page does at once
_OUTSIDE = re.compile(r"(?!(http|ws|blob:http)://127\.0\.0\.1:\d+/)")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",  # there is none: its emulation takes a sixth of the time
    "--disable-background-networking",
    "--autoplay-policy=no-user-gesture-required",
]


def addresses(ground_state: Path) -> dict[str, str]:
    return json.loads(query(socket_path("ground", ground_state), b"console\n"))


class Browser:
    """A browser that opens the console; what it asked for and complained of is kept."""

    def __init__(self, playwright: Playwright, stack: Stack) -> None:
        self._state = stack.ground_state
        self._browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page = self.new_page()

    def new_page(self) -> Page:
        context = self._browser.new_context(
            viewport={"width": 1440, "height": 900}, reduced_motion="reduce"
        )
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda socket: self.requests.append(socket.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def enter(
        self, role: str = "operator", page: Page | None = None, state: Path | None = None
    ) -> Page:
        """Open the console of the stack's gateway, or of another one by its state directory."""
        page = page or self.page
        page.goto(addresses(state or self._state)[role])
        page.locator("#fleet button").first.wait_for()
        return page

    def check(self) -> None:
        """Check that no page has asked for anything outside, nor complained."""
        assert [url for url in self.requests if _OUTSIDE.match(url)] == []
        assert self.complaints == []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self._browser.close()


def slide(page: Page, share: float = 1.0) -> None:
    """Drag the thumb of the open strip so far."""
    thumb, track = page.locator("#strip .thumb"), page.locator("#strip .slide")
    grip, rail = box_of(thumb), box_of(track)
    x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + share * (rail["width"] - grip["width"]) + 5 * (share == 1.0), y, steps=8)
    page.mouse.up()


# Resolves when the gesture of a node, or of what has the keyboard, has begun and is over: the page
# has seen all of it, however late it got to see its beginning.
_GESTURE = """
(node) => {
  const held = node ?? document.activeElement;
  const shows = held.closest(".slide") ?? held.querySelector(".fill");
  const isUnderWay = () => Number(shows.style.getPropertyValue("--share")) > 0;
  const end = performance.now() + 20000;
  const until = async (condition) => {
    while (!condition() && performance.now() < end) await new Promise(requestAnimationFrame);
  };
  window.gesture = until(isUnderWay).then(() => until(() => !isUnderWay()));
}
"""


def hold(page: Page, button: Locator) -> None:
    """Press a button with the mouse for as long as it takes."""
    box = box_of(button)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    button.evaluate(_GESTURE)
    page.mouse.down()
    page.evaluate("() => window.gesture")
    page.mouse.up()


def hold_key(page: Page, key: str = "Enter", milliseconds: float | None = None) -> None:
    """Hold a key, at a hold button or a slider, for so long or for as long as it takes."""
    if milliseconds is None:
        page.evaluate(_GESTURE)
    page.keyboard.down(key)
    if milliseconds is None:
        page.evaluate("() => window.gesture")
    else:
        page.wait_for_timeout(milliseconds)
    page.keyboard.up(key)


def box_of(locator: Locator) -> FloatRect:
    """Return where something is, once it is at rest: what is being drawn anew is nowhere."""
    seen: FloatRect | None = None

    def at_rest() -> FloatRect | None:
        nonlocal seen
        before, seen = seen, locator.bounding_box()
        return seen if seen == before else None

    return wait_until(at_rest, PATIENCE_MS / 1000, "drawn and at rest")

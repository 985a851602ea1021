"""Debian's Chromium at the console of a stack, and the operator's hand."""

import json
import shutil
from pathlib import Path
from typing import Self

from playwright.sync_api import Locator, Page, Playwright

from sekisho.runtime import query, socket_path
from tests.e2e.stack import Stack

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
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
        page.set_default_timeout(10_000)
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
        page.locator("#fleet button").first.wait_for(timeout=30_000)
        return page

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self._browser.close()


def slide(page: Page, share: float = 1.0) -> None:
    """Drag the thumb of the open strip so far."""
    thumb, track = page.locator("#strip .thumb"), page.locator("#strip .slide")
    grip, rail = _box(thumb), _box(track)
    x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + share * (rail["width"] - grip["width"]) + 5 * (share == 1.0), y, steps=8)
    page.mouse.up()


def hold(page: Page, button: Locator, milliseconds: float = 1150) -> None:
    """Press a button with the mouse for so long."""
    box = _box(button)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.wait_for_timeout(milliseconds)
    page.mouse.up()


def hold_key(page: Page, key: str = "Enter", milliseconds: float = 1150) -> None:
    """Hold a key for so long."""
    page.keyboard.down(key)
    page.wait_for_timeout(milliseconds)
    page.keyboard.up(key)


def _box(locator: Locator) -> dict[str, float]:
    box = locator.bounding_box()
    assert box is not None
    return box

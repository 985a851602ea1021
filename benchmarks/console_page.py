"""The page of the benchmark `console`: Chromium on the Fly view, and what is counted in it."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import Final

import msgspec
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from benchmarks.program import ProgramError
from wire.aio.alarm import monotonic_ns

_WAIT_MS: Final = 60_000
_ZOOMS: Final = 12
_BRACKETS: Final = 20
_ARGUMENTS: Final = ("--no-sandbox", "--disable-background-networking")
# Pictures are noted where the page parses them, so that nothing is parsed twice. The age of a value
# counts from when it came to the gateway to when it is looked at here, on one clock.
_PROBE: Final = """
(() => {
  const probe = { frames: [], pictures: 0, bytes: 0, ages: [], seen: new Map(), ahead: null };
  window.probe = probe;
  const parse = JSON.parse;
  JSON.parse = (text, ...rest) => {
    const value = parse(text, ...rest);
    if (value?.t === "picture") {
      probe.pictures += 1;
      probe.bytes += text.length;
      for (const [name, { groups }] of Object.entries(value.drones))
        if (groups?.position) probe.seen.set(name, groups.position[0]);
    }
    return value;
  };
  let last = null;
  const frame = (now) => {
    if (last != null) probe.frames.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  setInterval(() => {
    if (probe.ahead == null || !probe.seen.size) return;
    const names = [...probe.seen.keys()];
    const seen = probe.seen.get(names[Math.floor(Math.random() * names.length)]);
    probe.ages.push(performance.now() + probe.ahead - seen);
  }, 200);
  probe.take = () => {
    const { frames, pictures, bytes, ages } = probe;
    Object.assign(probe, { frames: [], pictures: 0, bytes: 0, ages: [] });
    return { frames, pictures, bytes, ages };
  };
})();
"""
_ALL_IN_SIGHT: Final = """
(count) => {
  const map = document.querySelector("#map").getBoundingClientRect();
  const marks = [...document.querySelectorAll("#map .drone")].map((n) => n.getBoundingClientRect());
  return marks.length === count && marks.every((m) => m.left >= map.left && m.right <= map.right
    && m.top >= map.top && m.bottom <= map.bottom);
}
"""


class Counted(msgspec.Struct):
    """What the page has counted since it was asked last: frame and age times in ms."""

    frames: list[float]
    pictures: int
    bytes: int
    ages: list[float]


class Pids(msgspec.Struct):
    """The processes of the browser."""

    renderer: int
    everything: list[int]


class Watched:
    """The console of a gateway in a browser, all drones in sight."""

    def __init__(self, browser: Browser, address: str, drones: int) -> None:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        self.page: Page = context.new_page()
        self.page.set_default_timeout(_WAIT_MS)
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.add_init_script(_PROBE)
        self.page.goto(address)
        self._browser = browser.new_browser_cdp_session()
        self._session: CDPSession = context.new_cdp_session(self.page)
        self._session.send("Performance.enable")
        self._look(drones)

    def _look(self, drones: int) -> None:
        """Select a drone of the middle, and zoom out until all are seen."""
        page = self.page
        page.locator("#map .drone").nth(drones - 1).wait_for(state="attached")
        page.locator("#fleet button").nth(drones * 9 // 20).click()
        for _ in range(_ZOOMS):
            if page.evaluate(_ALL_IN_SIGHT, drones):
                return
            page.locator("#zoom-out").click()
            page.wait_for_timeout(500)
        raise ProgramError("the page does not show every drone on its map")

    def pids(self) -> Pids:
        """Find the processes; the renderer is the one that has worked most."""
        infos = self._browser.send("SystemInfo.getProcessInfo")["processInfo"]
        renderers = [info for info in infos if info["type"] == "renderer"]
        worked = max(renderers, key=lambda info: float(info["cpuTime"]))
        return Pids(int(worked["id"]), [int(info["id"]) for info in infos])

    def take(self) -> Counted:
        """Return what was counted since the last time, and agree on the clock anew."""
        best: tuple[int, float] | None = None
        for _ in range(_BRACKETS):
            before_ns = monotonic_ns()
            page_ms = self.page.evaluate("performance.now()")
            took_ns = monotonic_ns() - before_ns
            if best is None or took_ns < best[0]:
                best = took_ns, (before_ns + took_ns / 2) / 1e6 - page_ms
        assert best is not None
        self.page.evaluate("(ahead) => { probe.ahead = ahead; }", best[1])
        return msgspec.convert(self.page.evaluate("probe.take()"), Counted, strict=False)

    def metrics(self) -> dict[str, float]:
        """Return Chromium's own figures of the page, after its rubbish has been collected."""
        self._session.send("HeapProfiler.collectGarbage")
        figures = self._session.send("Performance.getMetrics")["metrics"]
        return {figure["name"]: float(figure["value"]) for figure in figures}


@contextlib.contextmanager
def watched(address: str, drones: int) -> Iterator[Watched]:
    """Open the console.

    Raises:
        ProgramError: There is no browser, or it does not show the drones.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        raise ProgramError("`console` needs `chromium`: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        with contextlib.closing(browser):
            yield Watched(browser, address, drones)

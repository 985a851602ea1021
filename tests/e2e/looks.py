"""How the console looks, judged by a machine: axe, and what runs over."""

import contextlib
import json

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.e2e.processes import wait_until

THEMES = ("day", "dark", "night")
SIZES = ((1024, 768), (1280, 800), (3840, 2160))


def check_accessibility(page: Page) -> None:
    """Check that axe has nothing to complain of, in every theme."""
    for theme in THEMES:
        page.evaluate("(name) => { document.documentElement.dataset.theme = name }", theme)
        results = Axe().run(page)
        assert results.violations_count == 0, f"{theme}: {results.generate_report()}"


def check_nothing_runs_over(page: Page, selector: str) -> None:
    """Check that text fits into what it stands in, and the page into its window.

    What follows a new size does so a frame or two later, on a busy machine some more.
    """
    over = f"""() => [...document.querySelectorAll({json.dumps(selector)})]
        .filter((node) => node.offsetParent && node.scrollWidth > node.clientWidth + 1
          && getComputedStyle(node).display !== "inline")
        .map((node) => node.textContent)"""
    wide = "document.documentElement.scrollWidth - innerWidth"
    with contextlib.suppress(AssertionError):
        fits = lambda: page.evaluate(over) == [] and page.evaluate(wide) <= 0  # noqa: E731
        wait_until(fits, 10, "it fits")
    assert page.evaluate(over) == []
    assert page.evaluate(wide) <= 0

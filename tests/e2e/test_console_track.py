"""The track on the map, with Leaflet in the browser, against the list of points itself.

Mutants killed: a piece that does not begin where the one before ends; a piece dropped while points
of it are still in the list; another list taken for the same; a list that was cut taken up too late;
`remove` that leaves pieces on the map.
"""

from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.e2e.browser import ARGUMENTS, CHROMIUM

STATIC = Path(__file__).parents[2] / "groundstation" / "static"

# A random walk of what happens to a list; after each step the pieces on the map, joined, are its
# points: from at most one piece before its first one, to its last one, each once.
WALK = """
(seed) => {
  let state = seed;
  const random = (n) => {
    state = (1103515245 * state + 12345) % 2147483648;
    return Math.floor(state / 65536) % n;
  };
  const map = L.map(document.querySelector("#map"), { preferCanvas: true }).setView([0, 0], 10);
  const track = new Track(map, { weight: 2 });
  let [list, dropped, number] = [[], 0, 0];
  for (let step = 0; step < 300; step++) {
    const kind = random(12);
    if (kind === 0) { list = []; dropped = 0; number += 1000; }
    const grow = kind === 1 ? 500 : kind === 2 ? 0 : random(90);
    for (let i = 0; i < grow; i++) list.push([++number * 1e-5, 0]);
    const most = kind === 3 ? 1 : 700;
    while (list.length > most) { list.shift(); dropped += 1; }
    track.show(list, dropped);
    const lines = [];
    map.eachLayer((layer) => {
      if (layer.getLatLngs) lines.push(layer.getLatLngs().map((p) => Math.round(p.lat * 1e5)));
    });
    lines.sort((a, b) => a[0] - b[0] || a.length - b.length);
    const drawn = [];
    for (const line of lines) {
      if (drawn.length && drawn.at(-1) !== line[0]) return `step ${step}: a gap before ${line[0]}`;
      drawn.push(...(drawn.length ? line.slice(1) : line));
    }
    const wanted = list.map(([lat]) => Math.round(lat * 1e5));
    const older = drawn.length - wanted.length;
    if (wanted.length && (older < 0 || older > 200)) return `step ${step}: ${older} older points`;
    if (!wanted.length && drawn.length) return `step ${step}: points of no list`;
    if (drawn.slice(older).join() !== wanted.join()) return `step ${step}: other points`;
  }
  track.remove();
  let left = 0;
  map.eachLayer((layer) => { left += layer.getLatLngs ? 1 : 0; });
  map.remove();
  return left ? `${left} left` : "";
}
"""


@pytest.mark.slow
def test_what_is_drawn_is_the_list():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page()
        page.set_content('<div id="map" style="width: 400px; height: 300px"></div>')
        page.add_script_tag(path=STATIC / "vendor" / "leaflet.js")
        module = (STATIC / "track.js").read_text() + "window.Track = Track;"
        page.add_script_tag(content=module, type="module")
        page.wait_for_function("() => window.Track !== undefined")
        found = [page.evaluate(WALK, seed) for seed in range(1, 9)]
        browser.close()
    assert found == [""] * 8

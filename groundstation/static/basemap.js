// The ground that every map here stands on: tiles from a file if there are any, always a graticule,
// and the world's coast from afar.

import { el, setClass, setText } from "./dom.js";

const COAST_UP_TO = 8; // closer than this the coast is too coarse to be true
const STEPS = [30, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001];
const LINES = 8;
const [LABEL, DIGIT] = [48, 8]; // px: the width of a label without decimals, and of each of them
const NO_PLACE = [20, 120];

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class BaseMap {
  tiles = [];
  #land = null;

  // `node` is what the map fills, `note` says what it stands on.
  constructor(node, note) {
    this.node = node;
    this.note = note;
    const L = window.L;
    this.map = L.map(node, { attributionControl: false, zoomControl: false, preferCanvas: true, zoomSnap: 0.5, minZoom: 2, maxZoom: 21, worldCopyJump: true, fadeAnimation: false, keyboard: true, boxZoom: false });
    this.map.createPane("land").style.zIndex = 150;
    this.map.createPane("grid").style.zIndex = 250;
    this.map.setView(NO_PLACE, 3);
    node.setAttribute("aria-label", "Map: arrow keys move it, plus and minus zoom");
    node.setAttribute("role", "application");
    this.grid = L.layerGroup().addTo(this.map);
    const Scale = L.Control.Scale.extend({
      _updateScale(line, text, ratio) { // Leaflet's own writes markup
        line.style.width = `${Math.round(this.options.maxWidth * ratio)}px`;
        setText(line, text);
      },
    });
    new Scale({ imperial: false, maxWidth: 140 }).addTo(this.map);
    this.map.on("moveend", () => this.#graticule());
    this.#loadLand();
    this.#graticule();
    this.size = new ResizeObserver(() => this.map.invalidateSize({ animate: false }));
    this.size.observe(node);
  }

  close() {
    this.size.disconnect();
    this.map.remove();
    this.map = null;
  }

  setTheme() {
    this.#graticule();
    this.#styleLand();
  }

  // Tiles of the files that lie in the gateway's directory, the last on top.
  setTiles(sets) {
    for (const layer of this.tiles) layer.remove();
    this.tiles = sets.map(([name, low, high]) => window.L.tileLayer(`/tiles/${encodeURIComponent(name)}/{z}/{x}/{y}`, {
      minZoom: Math.max(2, low - 1), maxZoom: 21, minNativeZoom: low, maxNativeZoom: high, className: "tile" }).addTo(this.map));
    this.#graticule();
  }

  async #loadLand() {
    const answer = await fetch("/vendor/land.json");
    const land = await answer.json();
    if (!this.map) return; // closed meanwhile
    const copy = (shift) => window.L.geoJSON(land, {
      pane: "land", interactive: false, coordsToLatLng: ([lon, lat]) => window.L.latLng(lat, lon + shift) });
    this.#land = window.L.featureGroup([-360, 0, 360].map(copy));
    this.#styleLand();
    this.#graticule();
  }

  #styleLand() {
    this.#land?.setStyle({ color: colour("--coast"), weight: 1, fillColor: colour("--land"), fillOpacity: 1 });
  }

  #graticule() {
    const L = window.L;
    const far = this.map.getZoom() <= COAST_UP_TO;
    if (this.#land) {
      if (far && !this.map.hasLayer(this.#land)) this.#land.addTo(this.map);
      if (!far && this.map.hasLayer(this.#land)) this.#land.remove();
    }
    setClass(this.node, "near", !far);
    setText(this.note, far ? "Coast is coarse (Natural Earth)" : this.tiles.length ? "" : "Grid only: no map tiles here");
    const bounds = this.map.getBounds();
    const [south, north] = [Math.max(-85, bounds.getSouth()), Math.min(85, bounds.getNorth())];
    const [west, east] = [bounds.getWest(), bounds.getEast()];
    const span = Math.max(north - south, (east - west) / 2);
    const step = STEPS.find((candidate) => span / candidate >= LINES / 2) ?? STEPS.at(-1);
    const decimals = Math.max(0, Math.ceil(-Math.log10(step)));
    const style = { pane: "grid", color: colour("--grid"), weight: 1, interactive: false };
    this.grid.clearLayers();
    const label = (at, text, className) => this.grid.addLayer(L.marker(at, {
      pane: "grid", interactive: false, keyboard: false, icon: L.divIcon({ html: el("span", {}, text), className: `grid-label ${className}`, iconSize: [0, 0] }) }));
    for (let lat = Math.ceil(south / step) * step; lat <= north; lat += step) {
      this.grid.addLayer(L.polyline([[lat, west], [lat, east]], style));
      label([lat, west], `${Math.abs(lat).toFixed(decimals)}°${lat < -step / 2 ? "S" : "N"}`, "by-row");
    }
    // Of lines that stand closer than their labels are wide, only some are labelled.
    const apart = (this.map.getSize().x * step) / (east - west);
    const every = Math.max(1, Math.ceil((LABEL + DIGIT * decimals) / apart));
    for (let number = Math.ceil(west / step); number * step <= east; number++) {
      const lon = number * step;
      this.grid.addLayer(L.polyline([[south, lon], [north, lon]], style));
      if (number % every) continue;
      const wrapped = ((((lon + 180) % 360) + 360) % 360) - 180;
      label([north, lon], `${Math.abs(wrapped).toFixed(decimals)}°${wrapped < -step / 2 ? "W" : "E"}`, "by-column");
    }
  }
}

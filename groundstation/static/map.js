// The map: drones with their tracks, home, mission, fence and the place marked to go to.

import { BaseMap, colour } from "./basemap.js";
import { byId, el, setAttribute, setClass, setText, svg } from "./dom.js";
import { LEVELS, wordOf } from "./level.js";
import { Track } from "./track.js";
import { between, degrees, distance } from "./units.js";

const FENCE = { 5001: ["polygon", true], 5002: ["polygon", false], 5003: ["circle", true], 5004: ["circle", false] };

const icon = (node, className, size) =>
  window.L.divIcon({ html: node, className, iconSize: [size, size], iconAnchor: [size / 2, size / 2] });

function place([lat, lon]) {
  return `${Math.abs(lat).toFixed(6)}° ${lat < 0 ? "S" : "N"}, ${Math.abs(lon).toFixed(6)}° ${lon < 0 ? "W" : "E"}`;
}

// What stands for a drone on a map: an arrow with its name, and its home.
export function craft(name) {
  const L = window.L;
  const arrow = svg("g", {}, svg("path", { d: "M0 -13L9 10L0 5L-9 10Z" }));
  const label = el("span", { class: "label" }, name);
  const node = el("div", { class: "drone" }, svg("svg", { viewBox: "-16 -16 32 32" }, arrow), label);
  const mark = L.marker([0, 0], { icon: icon(node, "bare", 32), zIndexOffset: 1000, keyboard: false, interactive: false });
  const homeNode = svg("svg", { viewBox: "-10 -10 20 20", class: "home" }, svg("path", { d: "M-8 1L0 -7L8 1V8H-8Z" }), svg("title", {}, `Home of ${name}`));
  const home = L.marker([0, 0], { icon: L.divIcon({ html: homeNode, className: "bare", iconSize: [20, 20], iconAnchor: [26, -4] }), keyboard: false, interactive: false });
  return { mark, arrow, label, node, home };
}

export class Maps {
  target = null;
  #marks = new Map();
  #follow = true;
  #seen = false;
  #plan = new Map();
  #planning = false;

  constructor(model) {
    this.model = model;
    this.base = new BaseMap(byId("map"), byId("map-note"));
    this.map = this.base.map;
    this.plan = window.L.layerGroup().addTo(this.map);
    this.map.on("dragstart", () => this.#setFollow(false));
    this.map.on("contextmenu", (event) => this.#mark([event.latlng.lat, event.latlng.lng]));
    byId("zoom-in").addEventListener("click", () => this.map.zoomIn());
    byId("zoom-out").addEventListener("click", () => this.map.zoomOut());
    byId("follow").addEventListener("click", () => this.#setFollow(!this.#follow));
    byId("mark").addEventListener("click", () => this.markMiddle());
  }

  markMiddle() {
    const { lat, lng } = this.map.getCenter();
    this.#mark([lat, lng]);
  }

  // While something is planned the map stays where it is put, marks nothing, and shows what is
  // aboard only if asked to.
  setPlanning(on) {
    this.#planning = on;
    if (on) {
      this.unmark();
      this.plan.remove();
    } else this.plan.addTo(this.map);
  }

  togglePlan() {
    const on = !this.map.hasLayer(this.plan);
    if (on) this.plan.addTo(this.map);
    else this.plan.remove();
    return on;
  }

  unmark() {
    this.target = null;
    this.targetMark?.remove();
    this.targetMark = null;
  }

  setTheme() {
    this.base.setTheme();
    this.#plan.clear();
    for (const { track } of this.#marks.values()) track.setStyle({ color: colour("--track") });
  }

  setTiles(sets) {
    this.base.setTiles(sets);
  }

  #setFollow(on) {
    this.#follow = on;
    setAttribute(byId("follow"), "aria-pressed", String(on));
  }

  #mark(at) {
    if (this.model.role !== "operator" || this.#planning) return;
    this.target = [at[0], ((at[1] + 540) % 360) - 180];
    const L = window.L;
    if (!this.targetMark) {
      const node = svg("svg", { viewBox: "-16 -16 32 32", class: "target" }, svg("path", { d: "M-14 0h9M5 0h9M0 -14v9M0 5v9" }), svg("circle", { r: 8 }));
      this.targetMark = L.marker(at, { icon: icon(node, "bare", 32), keyboard: false, interactive: false }).addTo(this.map);
    }
    this.targetMark.setLatLng(at);
  }

  #drone(drone) {
    if (!this.#marks.has(drone.name)) {
      const track = new Track(this.map, { color: colour("--track"), weight: 2.5, interactive: false });
      this.#marks.set(drone.name, { ...craft(drone.name), track });
    }
    return this.#marks.get(drone.name);
  }

  show(model) {
    for (const [name, parts] of this.#marks) {
      if (model.drones.has(name)) continue;
      for (const layer of [parts.mark, parts.home, parts.track]) layer.remove();
      this.#marks.delete(name);
    }
    for (const drone of model.drones.values()) {
      const at = drone.place;
      if (!at) continue;
      const parts = this.#drone(drone);
      const [, level] = wordOf(drone);
      parts.mark.setLatLng(at);
      if (!this.map.hasLayer(parts.mark)) parts.mark.addTo(this.map);
      setAttribute(parts.arrow, "transform", `rotate(${drone.get("position", "hdg") ?? 0})`);
      setClass(parts.node, "stale", drone.isStale("position"));
      setClass(parts.node, "selected", drone.name === model.selected);
      for (const [index, name] of LEVELS.entries()) setClass(parts.node, name, index === level);
      if (drone.home) {
        parts.home.setLatLng(drone.home);
        if (!this.map.hasLayer(parts.home)) parts.home.addTo(this.map);
      }
      parts.track.show(drone.track, drone.dropped);
    }
    this.#showPlan(model.drone);
    this.#keepInSight(model.drone);
    this.#tellTarget(model.drone);
  }

  #keepInSight(drone) {
    const at = drone?.place;
    if (!at) return;
    if (!this.#seen) {
      this.#seen = true;
      this.map.setView(at, 18, { animate: false });
    } else if (this.#follow && !this.#planning && !this.map.getBounds().pad(-0.25).contains(at)) {
      this.map.panTo(at, { animate: false });
    }
  }

  // Something else is to be seen first: the drone's first place moves the map no more.
  keep() {
    this.#seen = true;
  }

  centre() {
    this.#seen = false;
    this.#setFollow(true);
  }

  #tellTarget(drone) {
    if (!this.target) return;
    const far = drone?.place ? between(drone.place, this.target) : null;
    setText(byId("map-note"), `Marked: ${place(this.target)}${far ? `, ${distance(far.metres)} at ${degrees(far.bearing)}` : ""}`);
  }

  #showPlan(drone) {
    const key = drone ? [drone.name, drone.plan0, drone.plan1, drone.get("mission", "seq")] : [];
    if (key.length === this.#plan.size && key.every((value, index) => this.#plan.get(index) === value)) return;
    this.#plan = new Map(key.entries());
    this.plan.clearLayers();
    if (!drone) return;
    this.#mission((drone.plan0 ?? []).slice(1), drone.get("mission", "seq"));
    this.#fence(drone.plan1 ?? []);
  }

  #mission(items, current) {
    const L = window.L;
    const path = [];
    for (const [index, [, lat, lon]] of items.entries()) {
      if (lat == null) continue;
      path.push([lat, lon]);
      const node = el("span", { class: index + 1 === current ? "waypoint current" : "waypoint" }, String(index + 1));
      this.plan.addLayer(L.marker([lat, lon], { icon: icon(node, "bare", 22), keyboard: false, interactive: false }));
    }
    if (path.length > 1) this.plan.addLayer(L.polyline(path, { color: colour("--mission"), weight: 2, dashArray: "7 5", interactive: false }));
  }

  #fence(items) {
    const L = window.L;
    let corners = [];
    for (const [command, lat, lon, , param1] of items) {
      const kind = FENCE[command];
      if (!kind || lat == null) continue;
      const style = { color: colour("--fence"), weight: 2.5, dashArray: kind[1] ? null : "3 6", fill: !kind[1], fillOpacity: 0.15, interactive: false };
      if (kind[0] === "circle") this.plan.addLayer(L.circle([lat, lon], { ...style, radius: param1 }));
      else {
        corners.push([lat, lon]);
        if (corners.length >= param1) {
          this.plan.addLayer(L.polygon(corners, style));
          corners = [];
        }
      }
    }
  }
}

// The draft on the map: drawn, dragged, and added to by clicks.

import { el } from "./dom.js";
import { newItem, title } from "./planfields.js";

const WAYS = "plan-ways"; // the pane below the draft's lines
const GONE = ["pointerup", "pointercancel"];
const CLOSE = 14; // pixels: a click so near the first corner closes a polygon

export const TOOLS = [
  ["select", "Select", "Click an element to choose it; drag to move it."],
  ["item", "Waypoint", "Click where to fly."],
  ["survey", "Survey", "Click the corners of the area; Enter, or a click on the first corner, closes it."],
  ["in", "Stay in", "Click the corners of the zone to stay in; Enter closes it."],
  ["out", "Keep out", "Click the corners of the zone to keep out of; Enter closes it."],
  ["circle", "Circle out", "Click the middle of the circle to keep out of."],
  ["rally", "Rally", "Click where a return may go instead of home."],
];

export class PlanMap {
  constructor(plan, maps) {
    this.plan = plan;
    this.maps = maps;
    this.tool = "select";
    this.corners = [];
    this.isHeld = false; // the finger is on something that can be dragged
    this.isDragging = false;
    this.isBehind = false; // not drawn meanwhile
    const L = window.L;
    this.layer = L.layerGroup().addTo(maps.map);
    this.sketch = L.layerGroup().addTo(maps.map);
    if (!maps.map.getPane(WAYS)) maps.map.createPane(WAYS);
    this.renderer = L.svg({ pane: WAYS });
    this.ways = L.layerGroup().addTo(maps.map);
    this.onClick = (event) => this.#click(event.latlng, event.containerPoint);
    maps.map.on("click", this.onClick);
  }

  close() {
    this.maps.map.off("click", this.onClick);
    for (const layer of [this.layer, this.sketch, this.ways, this.renderer]) layer.remove();
  }

  clear() {
    this.isHeld = this.isDragging = false; // what is dragged is taken away
    this.layer.clearLayers();
    this.ways.clearLayers();
  }

  use(tool) {
    this.tool = tool;
    this.cancel();
    this.maps.map.getContainer().classList.toggle("placing", tool !== "select");
    if (tool === "select") this.maps.map.doubleClickZoom.enable();
    else this.maps.map.doubleClickZoom.disable();
  }

  // Forget the corners of what is being drawn; tell whether there were any.
  cancel() {
    const had = this.corners.length > 0;
    this.corners = [];
    this.sketch.clearLayers();
    return had;
  }

  // Close the polygon that is being drawn; tell whether there was one.
  finish() {
    if (this.corners.length < 3) return false;
    const points = this.corners;
    this.cancel();
    this.plan.add(this.tool === "survey" ? { type: "survey", polygon: points } : { type: "polygon", points, inclusion: this.tool === "in" });
    return true;
  }

  #click({ lat, lng }, pixel) {
    const at = [Number(lat.toFixed(7)), Number(((((lng + 180) % 360) + 360) % 360 - 180).toFixed(7))];
    switch (this.tool) {
      case "select":
        this.plan.choose(null);
        break;
      case "item":
        this.plan.add(newItem(16, at, this.plan.altitude));
        break;
      case "circle":
        this.plan.add({ type: "circle", lat: at[0], lon: at[1], radius: 50, inclusion: false });
        break;
      case "rally":
        this.plan.add({ type: "rally", lat: at[0], lon: at[1], altitude: this.plan.altitude });
        break;
      default: {
        const first = this.corners[0] && this.maps.map.latLngToContainerPoint(this.corners[0]);
        if (first && this.corners.length >= 3 && first.distanceTo(pixel) < CLOSE) this.finish();
        else {
          this.corners.push(at);
          this.#drawSketch();
        }
      }
    }
  }

  #drawSketch() {
    const L = window.L;
    const color = this.#colour(this.tool === "survey" ? "--accent" : "--fence");
    this.sketch.clearLayers();
    this.sketch.addLayer(L.polygon(this.corners, { color, weight: 2, dashArray: "4 4", interactive: false }));
    for (const [n, corner] of this.corners.entries())
      this.sketch.addLayer(L.marker(corner, { icon: this.#icon(n ? "plan-dot" : "plan-dot first", "", 12), keyboard: false, interactive: false }));
  }

  #colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  #icon(className, text, size) {
    return window.L.divIcon({ html: el("span", { class: className }, text), className: "bare", iconSize: [size, size], iconAnchor: [size / 2, size / 2] });
  }

  draw() {
    this.isBehind = this.isHeld || this.isDragging;
    if (this.isBehind) return;
    const { draft, checks } = this.plan.parts;
    const L = window.L;
    const bad = new Set(checks.findings.filter(([level]) => level === "error").map(([, , element]) => element));
    this.layer.clearLayers();
    for (const zone of draft.zones) this.#zone(zone);
    const home = draft.home ?? draft.vehicle_home;
    const path = home ? [[home.lat, home.lon]] : [];
    for (const entry of draft.items) {
      if (entry.type === "item") {
        const at = this.#placeOf(entry);
        if (at) path.push(at);
        else if (entry.command === 20 && home) path.push([home.lat, home.lon]);
      } else path.push(...entry.path);
      if (entry.type === "survey") this.#area(entry, "polygon", { color: this.#colour("--accent"), weight: 2, fillOpacity: 0.12 });
    }
    if (path.length > 1) this.layer.addLayer(L.polyline(path, { color: this.#colour("--mission"), weight: 2.5, interactive: false }));
    for (const entry of draft.items) {
      const at = entry.type === "item" ? this.#placeOf(entry) : entry.path[0];
      if (at) this.#marker(entry, at, String(entry.number), `plan-item${bad.has(entry.id) ? " bad" : ""}`, entry.type === "item"
        ? ([lat, lon]) => ({ ...entry, params: entry.params.with(4, lat).with(5, lon) }) : null);
    }
    for (const rally of draft.rally) this.#marker(rally, [rally.lat, rally.lon], "R", "plan-rally", ([lat, lon]) => ({ ...rally, lat, lon }));
    if (draft.home) this.layer.addLayer(L.marker([draft.home.lat, draft.home.lon], { icon: this.#icon("plan-home", "H", 22), keyboard: false, interactive: false }));
  }

  // The way that has been brought, as two lines beside each other: the draft's own lie on top.
  drawWays() {
    const { ways } = this.plan.parts.ways;
    this.ways.clearLayers();
    if (!ways.length) return;
    for (const className of ["plan-way", "plan-way within"]) this.ways.addLayer(window.L.polyline(ways, { className, renderer: this.renderer, smoothFactor: 0, interactive: false }));
  }

  #placeOf(entry) {
    const [lat, lon] = entry.params.slice(4, 6);
    return entry.has_place && (lat || lon) ? [lat, lon] : null;
  }

  #marker(entry, at, text, className, moved) {
    const chosen = entry.id === this.plan.chosen;
    const mark = window.L.marker(at, { icon: this.#icon(`${className}${chosen ? " chosen" : ""}`, text, 24), draggable: Boolean(moved) && this.plan.mayEdit, keyboard: false, title: title(entry), zIndexOffset: chosen ? 500 : 0 });
    mark.on("click", () => this.plan.choose(entry.id));
    if (moved) this.#follow(mark, moved);
    this.layer.addLayer(mark);
  }

  // What is held or dragged stays under the finger whatever others change meanwhile: that is drawn
  // afterwards. A click, which comes after the finger has gone, must still find what was held.
  #follow(mark, moved) {
    mark.on("add", () => mark.getElement().addEventListener("pointerdown", () => {
      const release = () => setTimeout(() => {
        for (const gone of GONE) removeEventListener(gone, release);
        this.isHeld = false;
        if (this.isBehind) this.draw();
      });
      this.isHeld = true;
      for (const gone of GONE) addEventListener(gone, release);
    }));
    mark.on("dragstart", () => {
      this.isDragging = true;
    });
    mark.on("dragend", () => {
      this.isDragging = false;
      this.plan.put(moved(this.#at(mark)));
      this.draw();
    });
  }

  #at(mark) {
    const { lat, lng } = mark.getLatLng();
    return [Number(lat.toFixed(7)), Number(lng.toFixed(7))];
  }

  #zone(zone) {
    const L = window.L;
    const style = { color: this.#colour("--fence"), weight: 2.5, dashArray: zone.inclusion ? null : "3 6", fill: true, fillOpacity: zone.inclusion ? 0.03 : 0.2 };
    if (zone.type === "polygon") {
      this.#area(zone, "points", style);
      return;
    }
    const circle = L.circle([zone.lat, zone.lon], { ...style, radius: zone.radius, weight: zone.id === this.plan.chosen ? 4 : 2.5 });
    circle.on("click", (event) => this.#pick(event, zone));
    this.layer.addLayer(circle);
    if (zone.id !== this.plan.chosen || !this.plan.mayEdit) return;
    this.#handle([zone.lat, zone.lon], "plan-dot", ([lat, lon]) => ({ ...zone, lat, lon }));
    const edge = L.latLng(zone.lat, zone.lon + zone.radius / 111319.5 / Math.max(0.01, Math.cos((zone.lat * Math.PI) / 180)));
    this.#handle([edge.lat, edge.lng], "plan-dot", (at) => ({ ...zone, radius: Math.max(1, Math.round(this.maps.map.distance(at, [zone.lat, zone.lon]) * 10) / 10) }));
  }

  // A polygon, with handles if it is chosen: corners to drag, and the middles of its sides.
  #area(entry, field, style) {
    const points = entry[field];
    const chosen = entry.id === this.plan.chosen;
    const polygon = window.L.polygon(points, { ...style, weight: chosen ? 4 : style.weight });
    polygon.on("click", (event) => this.#pick(event, entry));
    this.layer.addLayer(polygon);
    if (!chosen || !this.plan.mayEdit) return;
    for (const [n, corner] of points.entries()) {
      const next = points[(n + 1) % points.length];
      this.#handle(corner, "plan-dot", (at) => ({ ...entry, [field]: points.with(n, at) }));
      this.#handle([(corner[0] + next[0]) / 2, (corner[1] + next[1]) / 2], "plan-dot between", (at) => ({ ...entry, [field]: points.toSpliced(n + 1, 0, at) }));
    }
  }

  #handle(at, className, moved) {
    const mark = window.L.marker(at, { icon: this.#icon(className, "", 14), draggable: true, keyboard: false, zIndexOffset: className.endsWith("between") ? 300 : 800 });
    this.#follow(mark, moved);
    this.layer.addLayer(mark);
  }

  #pick(event, entry) {
    if (this.tool !== "select") return;
    window.L.DomEvent.stopPropagation(event);
    this.plan.choose(entry.id);
  }

  // Show all of the draft.
  fit() {
    const { draft } = this.plan.parts;
    const all = [
      ...draft.items.flatMap((entry) => (entry.type === "item" ? [this.#placeOf(entry)] : entry.path)),
      ...draft.zones.flatMap((zone) => (zone.type === "polygon" ? zone.points : [[zone.lat, zone.lon]])),
      ...draft.rally.map((rally) => [rally.lat, rally.lon]),
    ].filter(Boolean);
    if (all.length) this.maps.keep();
    if (all.length > 1) this.maps.map.fitBounds(all, { animate: false, padding: [40, 40], maxZoom: 19 });
    else if (all.length) this.maps.map.setView(all[0], 18, { animate: false });
  }
}

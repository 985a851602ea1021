// The list of all drones. Selecting is the operator's deed alone.

import { byId, el, setAttribute, setClass, setText } from "./dom.js";
import { LEVELS, shape, wordOf } from "./level.js";
import { number } from "./units.js";

const rows = new Map();

function row(drone, onSelect) {
  const parts = Object.fromEntries(["shape", "name", "state", "facts"].map((c) => [c, el("span", { class: c })]));
  const button = el("button", { type: "button", onclick: () => onSelect(drone.name) },
    el("span", { class: "line" }, parts.shape, parts.name), parts.state, parts.facts);
  parts.shape.setAttribute("aria-hidden", "true");
  parts.name.textContent = drone.name;
  const item = el("li", {}, button);
  byId("fleet").append(item);
  return { item, button, ...parts };
}

export function showFleet(model, onSelect) {
  for (const [name, { item }] of rows) {
    if (model.drones.has(name)) continue;
    item.remove();
    rows.delete(name);
  }
  for (const drone of model.drones.values()) {
    if (!rows.has(drone.name)) rows.set(drone.name, row(drone, onSelect));
    const parts = rows.get(drone.name);
    const [word, level] = wordOf(drone);
    const stale = drone.isStale("position");
    setText(parts.shape, shape(level));
    setText(parts.state, word);
    setText(parts.facts, drone.groups.heartbeat
      ? `${drone.mode} · ${number(drone.get("position", "relative_alt"))}\u00a0m · ${number(drone.get("system", "battery_remaining"))}\u00a0%`
      : "nothing heard yet");
    setClass(parts.facts, "stale", stale);
    for (const [index, name] of LEVELS.entries()) setClass(parts.button, name, index === level);
    setAttribute(parts.button, "aria-current", drone.name === model.selected ? "true" : null);
  }
}

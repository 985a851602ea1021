// The lists of a plan as an editor that needs no mouse: every number can be typed, everything added,
// moved and deleted. What the gateway sends is drawn anew; where the keyboard is, it stays.

import { el, setClass } from "./dom.js";
import { COMMANDS, fieldsOf, newItem, numberField, summary, title } from "./planfields.js";
import { clock, distance } from "./units.js";

const LISTS = [["items", "Mission", 0], ["zones", "Fence", 1], ["rally", "Rally points", 2]];
const ZONES = [["polygon in", "Polygon to stay in"], ["polygon out", "Polygon to keep out of"], ["circle in", "Circle to stay in"], ["circle out", "Circle to keep out of"]];
const HALF = 0.0005; // degrees: of a new polygon's side

export class PlanEditor {
  constructor(plan) {
    this.plan = plan;
    this.root = el("div", { class: "plan-editor" });
    this.open = new Set();
  }

  // Draw anew what has changed, with the focus, what is unfolded and what is half typed kept.
  show() {
    const active = this.root.contains(document.activeElement) ? document.activeElement : null;
    const key = active?.dataset.key;
    const typed = active?.type === "text" && active.value !== active.defaultValue ? active.value : null;
    const caret = typed == null ? null : [active.selectionStart, active.selectionEnd];
    if (active) active.isRedrawn = true; // it loses the focus now, which means nothing
    const scroll = this.root.scrollTop;
    this.root.replaceChildren(this.#figures(), this.#findings(), ...LISTS.map((list) => this.#list(...list)), this.#settings());
    for (const details of this.root.querySelectorAll("details")) {
      details.open = this.open.has(details.dataset.key);
      details.addEventListener("toggle", () => details.open ? this.open.add(details.dataset.key) : this.open.delete(details.dataset.key));
    }
    this.root.scrollTop = scroll;
    if (key == null) return;
    const again = this.root.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (typed != null && again) again.value = typed;
    (again ?? this.root.querySelector("[data-key=add-items]"))?.focus({ preventScroll: true });
    if (caret && again) again.setSelectionRange(...caret);
    // Nothing typed yet: what is typed next takes the place of what is there, as when one tabs in.
    if (typed == null && again?.type === "text") again.select();
  }

  // Put the keyboard where the chosen element is.
  reveal() {
    this.root.querySelector(".plan-entry.chosen")?.scrollIntoView({ block: "nearest" });
  }

  #figures() {
    const { draft, checks } = this.plan.parts;
    const { items, length, duration_s: duration, farthest, highest } = checks.statistics;
    const endurance = this.plan.drone?.endurance;
    const share = endurance ? `${Math.round((100 * duration) / endurance)} % of what is left` : "–";
    const row = (name, text) => el("div", { class: "plan-figure" }, el("dt", {}, name), el("dd", {}, text));
    return el("section", { class: "plan-part" },
      el("dl", { class: "plan-figures" }, row("Items", String(items)), row("Way", distance(length)), row("Time", clock(duration * 1000)),
        row("Highest", `${Number(highest.toFixed(1))} m`), row("Farthest", distance(farthest)), row("Battery", share)),
      el("p", { class: draft.note ? "plan-saved alarm" : "plan-saved" }, draft.note || (draft.saved ? "Draft saved" : "Saving the draft")),
      draft.kept.length ? el("p", { class: "plan-saved" }, `Kept in the file, not sent: ${draft.kept.join(", ")}`) : null);
  }

  #findings() {
    const found = this.plan.parts.checks.findings;
    const line = ([level, , element, text], n) => el("li", { class: level }, el("span", { class: "tag" }, level === "error" ? "■ Error" : "▲ Caution"),
      element ? el("button", { type: "button", class: "plan-link", "data-key": `finding-${n}`, onclick: () => this.plan.choose(element) }, text) : el("span", {}, text));
    return el("section", { class: "plan-part", "aria-label": "Check" }, el("h3", {}, "Check"),
      found.length ? el("ul", { class: "plan-findings" }, ...found.map(line)) : el("p", { class: "plan-good" }, "● Nothing found"));
  }

  #list(name, heading, kind) {
    const entries = this.plan.parts.draft[name];
    const bad = new Map();
    for (const [level, of, element] of this.plan.parts.checks.findings) if (of === kind && element && bad.get(element) !== "error") bad.set(element, level);
    return el("section", { class: "plan-part", "aria-label": heading }, el("h3", {}, heading),
      entries.length
        ? el("ol", { class: "plan-list" }, ...entries.map((entry, at) => this.#entry(name, entry, at, entries.length, bad.get(entry.id))))
        : el("p", { class: "plan-hint" }, { items: "No items. Choose a tool and click on the map, or add here.", zones: "No zones.", rally: "No rally points: a return goes home." }[name]),
      this.#adding(name));
  }

  #entry(name, entry, at, count, level) {
    const chosen = entry.id === this.plan.chosen;
    const label = `${entry.number ?? at + 1} ${title(entry)}, ${summary(entry)}`;
    const head = el("button", { type: "button", class: "plan-head", "data-key": `${entry.id}-head`, "aria-expanded": String(chosen),
      "aria-label": level ? `${label}: ${level}` : label, onclick: () => this.plan.choose(chosen ? null : entry.id) },
    el("span", { class: "plan-number" }, String(entry.number ?? at + 1)), el("span", { class: "plan-title" }, title(entry)),
    el("span", { class: "plan-summary" }, summary(entry)), el("span", { class: "plan-level", "aria-hidden": "true" }, level ? (level === "error" ? "■" : "▲") : ""));
    head.addEventListener("keydown", (event) => this.#keys(event, entry, at));
    const row = el("li", { class: `plan-entry ${level ?? ""}` }, head);
    setClass(row, "chosen", chosen);
    if (chosen) {
      const step = (to, text, off) => el("button", { type: "button", "data-key": `${entry.id}-${text}`, disabled: off, onclick: () => this.plan.ask({ type: "move", element: entry.id, to }) }, text);
      row.append(el("div", { class: "plan-fields" }, ...fieldsOf(entry, (changed) => this.plan.put(changed))),
        el("div", { class: "row" }, ...(name === "items" ? [step(at - 1, "Up", at === 0), step(at + 1, "Down", at === count - 1)] : []),
          el("button", { type: "button", "data-key": `${entry.id}-delete`, onclick: () => this.#drop(entry) }, "Delete")));
    }
    return row;
  }

  #keys(event, entry, at) {
    if (event.key === "Delete") this.#drop(entry);
    else if (event.altKey && event.key === "ArrowUp") this.plan.ask({ type: "move", element: entry.id, to: Math.max(0, at - 1) });
    else if (event.altKey && event.key === "ArrowDown") this.plan.ask({ type: "move", element: entry.id, to: at + 1 });
    else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      const heads = [...this.root.querySelectorAll(".plan-head")];
      heads[heads.indexOf(event.currentTarget) + (event.key === "ArrowUp" ? -1 : 1)]?.focus();
    } else return;
    event.preventDefault();
  }

  #drop(entry) {
    this.plan.ask({ type: "drop", ids: [entry.id] });
  }

  // What can be added without a mouse, at the middle of the map.
  #adding(name) {
    const button = (key, text, make) => el("button", { type: "button", "data-key": key, onclick: () => this.plan.add(make(this.plan.middle())) }, text);
    const square = ([lat, lon]) => [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([n, e]) => [lat + n * HALF, lon + (e * HALF) / Math.max(0.1, Math.cos((lat * Math.PI) / 180))]);
    if (name === "zones")
      return el("div", { class: "row" }, this.#choice("zone", "Which zone to add", ZONES),
        button("add-zone", "Add zone", (at) => (this.zone.startsWith("polygon")
          ? { type: "polygon", points: square(at), inclusion: this.zone === "polygon in" }
          : { type: "circle", lat: at[0], lon: at[1], radius: 50, inclusion: this.zone === "circle in" })));
    if (name === "rally") return el("div", { class: "row" }, button("add-rally", "Add rally point", ([lat, lon]) => ({ type: "rally", lat, lon, altitude: this.plan.altitude })));
    return el("div", { class: "row" }, this.#choice("command", "What to add", [...COMMANDS].map(([number, [text]]) => [String(number), text])),
      button("add-items", "Add item", (at) => newItem(Number(this.command), at, this.plan.altitude)),
      button("add-survey", "Add survey", (at) => ({ type: "survey", polygon: square(at) })));
  }
  command = "16";
  zone = "polygon in";

  #choice(field, label, choices) {
    const select = el("select", { "data-key": `which-${field}`, "aria-label": label },
      ...choices.map(([value, text]) => el("option", { value, selected: value === this[field] }, text)));
    select.addEventListener("change", () => { this[field] = select.value; });
    return select;
  }

  #settings() {
    const { draft, checks } = this.plan.parts;
    const settle = (changes) => this.plan.settle(changes);
    const number = (name, label, limits) => numberField(`set-${name}`, label, draft[name], { ...limits, commit: (value) => settle({ [name]: value }) });
    const home = draft.home ?? draft.vehicle_home;
    const place = (name, label, min, max) => numberField(`home-${name}`, label, home?.[name], { min, max, commit: (value) => settle({ home: { lat: 0, lon: 0, altitude: 0, ...(draft.home ?? draft.vehicle_home), [name]: value } }) });
    const { ceiling, return_altitude: back } = checks.limits;
    const known = (value) => (value == null ? "not known" : `${value} m`);
    return el("section", { class: "plan-part", "aria-label": "Settings" }, el("h3", {}, "Settings"),
      el("div", { class: "plan-fields" }, number("hover_speed", "Speed, m/s", { min: 0.1, max: 100 }), number("ceiling", "Ceiling above home, m", { min: 1, max: 10000, empty: true })),
      el("p", { class: "plan-hint" }, `Aboard: fence's ceiling ${known(ceiling)}, return altitude ${known(back)}. The plan's ceiling is checked here, not sent: it is the parameter FENCE_ALT_MAX aboard.`),
      el("h4", {}, draft.home ? "Planned home" : draft.vehicle_home ? "Home, as the drone says" : "Home is not known"),
      el("div", { class: "plan-fields" }, place("lat", "Latitude, °", -90, 90), place("lon", "Longitude, °", -180, 180), place("altitude", "Altitude above the sea, m", -1000, 9000)),
      el("div", { class: "row" },
        el("button", { type: "button", "data-key": "home-here", onclick: () => { const [lat, lon] = this.plan.middle(); settle({ home: { lat, lon, altitude: home?.altitude ?? 0 } }); } }, "Home at the middle of the map"),
        el("button", { type: "button", "data-key": "home-own", disabled: !draft.home, onclick: () => settle({ home: null }) }, "As the drone says")));
  }

}

// The planning view: one draft per drone, kept by the gateway, apart from what is aboard.

import { byId, el, setAttribute, setClass, setHidden, setText } from "./dom.js";
import { PlanEditor } from "./planeditor.js";
import { bare } from "./planfields.js";
import { PlanFlight } from "./planflight.js";
import { PlanMap, TOOLS } from "./planmap.js";
import { PlanTransfer } from "./plantransfer.js";

const MAX_FILE = 500_000;
const MAX_READ = 5_000_000;
const ALTITUDE = 20;
const ENDS = new Set([20, 21]);

export const open = (place, context) => new PlanView(place, context);

class PlanView {
  parts = null; // what the gateway has told: draft, checks, aboard, transfer, route, flight, ways
  chosen = null;
  #waiting = null; // ids there were when something was added: what is new is chosen
  #read = false;
  #fitted = false;

  constructor(place, { model, live, maps }) {
    Object.assign(this, { model, live, maps });
    this.name = model.selected;
    this.place = place;
    this.editor = new PlanEditor(this);
    this.transfer = new PlanTransfer(this);
    this.flight = new PlanFlight(this);
    this.status = el("p", { class: "plan-status", role: "status" });
    this.#build();
    this.mapHome = byId("map").parentElement;
    this.area.prepend(byId("map"));
    maps.setPlanning(true);
    this.map = new PlanMap(this, maps);
    this.map.use("select");
    this.onKey = (event) => this.#key(event);
    document.addEventListener("keydown", this.onKey);
    live.onView.plan = (told) => this.#take(told);
    this.#watch();
  }

  close() {
    document.removeEventListener("keydown", this.onKey);
    delete this.live.onView.plan;
    this.map.use("select");
    this.map.close();
    this.maps.setPlanning(false);
    this.mapHome.prepend(byId("map"));
    this.place.classList.remove("plan", "watching");
    this.live.ask({ type: "plan", drone: this.name, do: { type: "watch", on: false } });
  }

  // Called with every picture: another drone, or a gateway that has come back.
  show(model) {
    if (model.selected !== this.name && model.selected) {
      this.name = model.selected;
      this.parts = null;
      this.chosen = null;
      this.map.clear();
      this.#read = this.#fitted = false;
      this.transfer.close();
      this.flight.build();
      this.#watch();
    } else if (this.live.state === "open" && !this.watching) this.#watch();
    if (this.live.state !== "open") this.watching = false;
    const theme = document.documentElement.dataset.theme;
    if (this.parts && theme !== this.theme) {
      this.theme = theme;
      this.map.draw();
    }
    this.transfer.tick();
    this.flight.tick();
  }

  get drone() {
    return this.model.drones.get(this.name);
  }

  get mayEdit() {
    return this.model.role === "operator";
  }

  now() {
    return this.model.now();
  }

  // The altitude for what is added: that of the item before it.
  get altitude() {
    const placed = this.parts.draft.items.filter((entry) => entry.type === "item" && entry.has_place && entry.frame === 3 && entry.params[6] > 0);
    return placed.at(-1)?.params[6] ?? ALTITUDE;
  }

  middle() {
    const { lat, lng } = this.maps.map.getCenter();
    return [Number(lat.toFixed(7)), Number(((((lng + 180) % 360) + 360) % 360 - 180).toFixed(7))];
  }

  choose(id) {
    this.chosen = id;
    this.#draw();
    this.editor.reveal();
  }

  async ask(deed) {
    const why = await this.live.ask({ type: "plan", drone: this.name, do: deed });
    if (why) {
      this.#say(why, "alarm");
      this.#draw(); // what was dragged or typed and not taken goes back
    } else if (this.status.classList.contains("alarm")) this.#say("", "");
    return why;
  }

  put(entry) {
    const { items, zones, rally } = this.parts.draft;
    const known = [...items, ...zones, ...rally].find((each) => each.id === entry.id);
    return this.#change(known ?? {}, entry, { type: "put", element: bare(entry) });
  }

  settle(changes) {
    const { draft } = this.parts;
    const { hover_speed, cruise_speed, ceiling, home } = { ...draft, ...changes };
    return this.#change(draft, changes, { type: "settle", hover_speed, cruise_speed, ceiling, home });
  }

  // Changed here at once, for what is changed next before the gateway has answered.
  async #change(known, to, deed) {
    const before = { ...known };
    Object.assign(known, to);
    const why = await this.ask(deed);
    if (!why) return;
    Object.assign(known, before);
    this.#draw();
  }

  add(element) {
    const { items, zones, rally } = this.parts.draft;
    this.#waiting = new Set([...items, ...zones, ...rally].map((entry) => entry.id));
    const at = element.type === "item" || element.type === "survey" ? this.#where() : null;
    return this.ask({ type: "add", element, at });
  }

  // Where a new item goes: after the chosen one, else at the end, but before a return or landing.
  #where() {
    const { items } = this.parts.draft;
    const chosen = items.findIndex((entry) => entry.id === this.chosen);
    if (chosen >= 0) return chosen + 1;
    return items.length && ENDS.has(items.at(-1).command) ? items.length - 1 : null;
  }

  async #watch() {
    this.watching = true;
    const why = await this.live.ask({ type: "plan", drone: this.name, do: { type: "watch", on: true } });
    if (why) this.watching = false;
  }

  #take({ drone, t: _, view: __, file, ...parts }) {
    if (drone !== this.name) return;
    if (file) {
      this.#save(file);
      return;
    }
    this.parts = { ...this.parts, ...parts };
    if (this.#waiting && parts.draft) {
      const all = [...parts.draft.items, ...parts.draft.zones, ...parts.draft.rally];
      const added = all.find((entry) => !this.#waiting.has(entry.id));
      if (added) [this.chosen, this.#waiting] = [added.id, null];
    }
    if (parts.draft || parts.checks) this.#draw();
    else this.#drawTransfer();
    if (parts.ways) this.map.drawWays();
    this.flight.show();
    if (!this.#fitted) {
      this.#fitted = true;
      this.map.fit();
    }
    if (!this.#read && this.mayEdit && !this.parts.transfer.blocked.read) {
      this.#read = true;
      if (!this.parts.aboard.mission.known || !this.parts.aboard["rally points"].known) this.ask({ type: "read" });
    }
  }

  #draw() {
    if (!this.parts) return;
    const { draft, checks } = this.parts;
    this.editor.show();
    this.map.draw();
    for (const [name, off] of [["undo", !draft.can_undo], ["redo", !draft.can_redo]]) this.buttons[name].disabled = off || !this.mayEdit;
    setClass(this.place, "watching", !this.mayEdit);
    for (const node of this.editor.root.querySelectorAll("input, select, .row button")) node.disabled ||= !this.mayEdit;
    const errors = checks.findings.filter(([level]) => level === "error").length;
    const cautions = checks.findings.length - errors;
    setText(this.counts, errors ? `■ ${errors} ${errors > 1 ? "errors" : "error"}` : cautions ? `▲ ${cautions} ${cautions > 1 ? "cautions" : "caution"}` : "● Checked");
    this.counts.className = `plan-counts ${errors ? "alarm" : cautions ? "caution" : "good"}`;
    this.#drawTransfer();
  }

  #drawTransfer() {
    const { transfer, aboard } = this.parts;
    this.transfer.show();
    const words = Object.entries(aboard).map(([name, { known, same, count }]) => `${name} ${!known ? "not read" : same ? (count ? "same aboard" : "none") : "differs"}`);
    setText(this.aboard, transfer.busy ? `${transfer.activity || "waiting"}: ${transfer.kind} ${transfer.done}/${transfer.total || "?"}` : words.join(" · "));
  }

  #say(text, level) {
    setText(this.status, text);
    this.status.className = `plan-status ${level}`;
  }

  #build() {
    const button = (name, text, deed, label) => (this.buttons[name] = el("button", { type: "button", "aria-label": label, onclick: deed }, text));
    this.buttons = {};
    const tools = TOOLS.map(([tool, text, hint]) => {
      const node = el("button", { type: "button", "aria-pressed": String(tool === "select"), title: hint, "data-tool": tool, onclick: () => this.#use(tool) }, text);
      return node;
    });
    const file = el("input", { type: "file", accept: ".plan,application/json", hidden: true, "aria-label": "A .plan file" });
    file.addEventListener("change", () => this.#open(file));
    this.aboard = el("p", { class: "plan-aboard" });
    this.counts = el("p", { class: "plan-counts" });
    this.shown = el("button", { type: "button", "aria-pressed": "false", onclick: () => this.#showAboard() }, "Show aboard");
    const bar = el("div", { class: "plan-bar", role: "toolbar", "aria-label": "Planning" },
      el("div", { class: "group" }, button("undo", "Undo", () => this.ask({ type: "undo" }), "Undo (Ctrl Z)"), button("redo", "Redo", () => this.ask({ type: "redo" }), "Redo (Ctrl Shift Z)")),
      el("div", { class: "group plan-edit" }, button("import", "Open file …", () => file.click()), file),
      el("div", { class: "group" }, button("export", "Save file", () => this.ask({ type: "export" }))),
      el("div", { class: "group plan-edit" }, button("clear", "Empty draft", () => this.ask({ type: "clear" })), button("take", "Take from drone", () => this.ask({ type: "take" }))),
      el("div", { class: "group" }, button("send", "Compare and send …", () => this.transfer.open())));
    const toolbar = el("div", { class: "plan-tools plan-edit", role: "toolbar", "aria-label": "Tools of the map" }, ...tools);
    this.finishing = el("div", { class: "plan-finish row", hidden: true },
      el("button", { type: "button", onclick: () => this.#finish() }, "Close the polygon (Enter)"), el("button", { type: "button", onclick: () => this.#cancel() }, "Cancel (Esc)"));
    this.hint = el("p", { class: "plan-hint" });
    this.area = el("div", { class: "plan-map" },
      el("div", { class: "plan-zoom", role: "toolbar", "aria-label": "Map" },
        el("button", { type: "button", "aria-label": "Zoom in", onclick: () => this.maps.map.zoomIn() }, "+"), el("button", { type: "button", "aria-label": "Zoom out", onclick: () => this.maps.map.zoomOut() }, "−"),
        el("button", { type: "button", onclick: () => this.map.fit() }, "Whole plan"), el("button", { type: "button", onclick: () => this.drone?.place && this.maps.map.panTo(this.drone.place, { animate: false }) }, "Drone"), this.shown),
      this.transfer.root);
    this.editor.root.setAttribute("tabindex", "0");
    this.editor.root.setAttribute("role", "region");
    this.editor.root.setAttribute("aria-label", "Plan as lists");
    this.place.classList.add("plan");
    this.place.replaceChildren(bar, el("div", { class: "plan-line" }, toolbar, this.finishing, this.hint), this.area, el("div", { class: "plan-side" }, this.flight.root, this.editor.root), el("div", { class: "plan-foot" }, this.counts, this.aboard, this.status));
    this.area.addEventListener("click", () => setHidden(this.finishing, !this.map.corners.length));
  }

  #use(tool) {
    this.map.use(tool);
    setHidden(this.finishing, true);
    for (const node of this.place.querySelectorAll("[data-tool]")) setAttribute(node, "aria-pressed", String(node.dataset.tool === tool));
    setText(this.hint, TOOLS.find(([each]) => each === tool)[2]);
  }

  #finish() {
    if (this.map.finish()) this.#use("select");
  }

  #cancel() {
    this.map.cancel();
    setHidden(this.finishing, true);
  }

  #showAboard() {
    const on = this.maps.togglePlan();
    setAttribute(this.shown, "aria-pressed", String(on));
  }

  async #open(file) {
    const [one] = file.files;
    file.value = "";
    if (!one) return;
    const text = one.size > MAX_READ ? "" : compact(await one.text());
    if (one.size > MAX_READ || text.length > MAX_FILE) {
      this.#say(`${one.name}: ${one.size} bytes; allowed: up to ${MAX_FILE} without indentation`, "alarm");
      return;
    }
    const why = await this.ask({ type: "import", text });
    this.#fitted = Boolean(why);
    this.#say(why ? `${one.name}: ${why}. The draft is as it was.` : `${one.name} is the draft now`, why ? "alarm" : "good");
  }

  #save({ name, text }) {
    const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    el("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    this.#say(`${name} is saved where this browser keeps downloads`, "good");
  }

  #key(event) {
    if (event.key === "Escape") {
      if (this.map.corners.length) this.#cancel();
      else if (this.transfer.isOpen && byId("strip").hidden) this.transfer.close();
      else if (this.map.tool !== "select") this.#use("select");
    } else if (event.key === "Enter" && this.map.corners.length && !event.target.closest?.("button, input, select, summary")) this.#finish();
    else if (event.ctrlKey && !event.altKey && ["z", "y"].includes(event.key.toLowerCase()) && !isTyping(event.target) && this.mayEdit) {
      event.preventDefault();
      this.ask({ type: event.key.toLowerCase() === "y" || event.shiftKey ? "redo" : "undo" });
    }
  }
}

// A field whose text has been changed and not yet taken has an undo of its own.
const isTyping = (node) => node.tagName === "INPUT" && node.type === "number" && node.value !== node.defaultValue;

// A file that is too long only for its indentation. What is no JSON, or has numbers that would change,
// is left for the gateway to name.
function compact(text) {
  if (text.length <= MAX_FILE) return text;
  const checked = (_, value) => {
    if (typeof value === "number" && !Number.isFinite(value)) throw new RangeError("not finite");
    return value;
  };
  try {
    return JSON.stringify(JSON.parse(text, checked));
  } catch {
    return text;
  }
}

// What can be ordered: a bar of actions, and above it, never under the pointer, the strip where one
// is confirmed. One at a time, gone after five seconds without a touch, cancelled by Escape.

import { byId, el, setAttribute, setHidden, setText } from "./dom.js";
import { holdButton, slider } from "./gestures.js";
import { orderText } from "./log.js";
import { age, number } from "./units.js";

const EXPIRES = 5000;
const SHOW_RESULT = 15000;
const FIRST = ["pause", "rtl", "land"];
const THEN = ["arm", "takeoff", "mission", "goto", "altitude", "speed", "mode", "disarm"];
const SHORTCUTS = { pause: "P", rtl: "R", land: "L", arm: "A", takeoff: "T", mission: "N", goto: "G", altitude: "H", speed: "V", mode: "M", disarm: "D" };
const SHORT = { mission: "Mission", altitude: "Altitude", speed: "Speed", mode: "Mode" };
const FIELDS = {
  takeoff: [["altitude", "Altitude above home, m", 10, 1, 500]],
  goto: [["altitude", "Altitude above home, m", null, 1, 500]],
  altitude: [["altitude", "Altitude above home, m", null, 1, 500]],
  speed: [["speed", "Speed, m/s", 5, 0.5, 25]],
};

export class Actions {
  #open = null; // { action, expires, drone, countdown }
  #buttons = {};
  #note = null;

  constructor(model, live, map) {
    this.model = model;
    this.live = live;
    this.map = map;
    this.strip = byId("strip");
    this.strip.addEventListener("pointerdown", () => this.#touch());
    this.strip.addEventListener("keydown", () => this.#touch());
    this.strip.addEventListener("input", () => this.#touch());
  }

  // The bar, once the gateway has said what can be done.
  build() {
    const group = (names, className) => el("div", { class: `group ${className}` }, ...names.map((name) => this.#button(name)));
    this.cover = el("button", { type: "button", class: "cover", "aria-expanded": "false", onclick: () => this.#guard() }, "Emergency stop …");
    this.force = el("button", { type: "button", class: "quiet-button", onclick: () => this.open("force_arm") }, "Force arm …");
    this.vehicle = el("span", { class: "addressee" });
    byId("bar").replaceChildren(this.vehicle, group(FIRST, "first"), group(THEN, "then"), el("div", { class: "group last" }, this.force, this.cover));
    byId("bar").hidden = this.model.role !== "operator";
  }

  #button(name) {
    const spec = this.model.actions[name];
    const button = el("button", { type: "button", class: `action ${name}`, onclick: () => this.choose(name) },
      el("span", {}, SHORT[name] ?? spec.label), el("kbd", { "aria-hidden": "true" }, SHORTCUTS[name]));
    this.#buttons[name] = button;
    return button;
  }

  choose(name) {
    const why = this.#why(name);
    if (why) this.#say(`${this.model.actions[name].label}: ${why}`, "caution");
    else if (this.model.actions[name].gesture === "press") this.#give(name, {});
    else this.open(name);
  }

  #why(name) {
    if (this.model.role !== "operator") return "This page only watches";
    const drone = this.model.drone;
    if (!drone) return "No drone is selected";
    if (this.live.state !== "open") return "No connection to the gateway";
    if (name === "goto" && !this.map.target) return drone.blocked.goto || "Mark a place on the map first";
    return drone.blocked[name] ?? "";
  }

  // Open the strip for an action's gesture.
  open(name) {
    const why = this.#why(name);
    if (why) {
      this.#say(`${this.model.actions[name].label}: ${why}`, "caution");
      return;
    }
    const drone = this.model.drone;
    const spec = this.model.actions[name];
    const inputs = {};
    const fields = (FIELDS[name] ?? []).map(([field, label, preset, min, max]) => {
      const first = preset ?? Math.max(min, Math.round(drone.get("position", "relative_alt") ?? 10));
      inputs[field] = el("input", { type: "number", min, max, step: field === "speed" ? 0.5 : 1, value: first, required: true });
      return el("label", { class: "field" }, label, inputs[field]);
    });
    if (name === "mode") {
      inputs.mode = el("select", {}, ...this.model.offered.map((mode) => el("option", { value: mode }, this.model.modes[mode])));
      fields.push(el("label", { class: "field" }, "Mode", inputs.mode));
    }
    if (spec.gesture === "typed") {
      inputs.typed = el("input", { type: "text", autocomplete: "off", spellcheck: "false", size: 12 });
      fields.push(el("label", { class: "field" }, `Type ${drone.name}`, inputs.typed));
    }
    const sentence = el("p", { class: "sentence" });
    const tell = () => setText(sentence, spec.consequence
      .replace("{name}", drone.name)
      .replace("{altitude}", inputs.altitude?.value ?? "")
      .replace("{speed}", inputs.speed?.value ?? "")
      .replace("{mode}", this.model.modes[inputs.mode?.value] ?? ""));
    for (const input of Object.values(inputs)) input.addEventListener("input", tell);
    tell();
    const done = () => {
      if (Object.values(inputs).some((input) => !input.reportValidity())) return;
      const given = Object.fromEntries(Object.entries(inputs).map(([field, input]) => [field, field === "typed" ? input.value : Number(input.value)]));
      if (name === "goto") [given.lat, given.lon] = this.map.target;
      this.#give(name, given, drone.name);
    };
    const [gesture, focus] = this.#gesture(spec, name, done);
    const extra = name === "arm" ? this.#checklist(drone) : null;
    this.#show(name, drone, [el("div", { class: "say" }, sentence, extra), ...fields, gesture], Object.values(inputs)[0] ?? focus);
  }

  #gesture(spec, name, done) {
    if (spec.gesture === "slide" || spec.gesture === "typed") {
      const { track, thumb } = slider(`Slide: ${spec.label.toLowerCase()}`, name, done);
      return [track, thumb];
    }
    const button = holdButton(`Hold: ${spec.label.toLowerCase()}`, name, done);
    return [button, button];
  }

  #checklist(drone) {
    const [, , reasons] = drone.word;
    const battery = drone.get("system", "battery_remaining");
    const checks = [
      ["Pre-arm checks", !reasons.some(([, text]) => /pre-?arm|Arm:/i.test(text)) && drone.word[0] === "READY"],
      ["3D position", (drone.get("gnss", "fix_type") ?? 0) >= 3],
      ["Home set", Boolean(drone.home)],
      [`Battery ${number(battery)} %`, battery != null && battery > 30],
      ["Link", (drone.link?.loss_down ?? 1) < 0.1 && !drone.link?.attack],
    ];
    return el("ul", { class: "checklist", "aria-label": "Checklist" }, ...checks.map(([text, good]) =>
      el("li", { class: good ? "good" : "caution" }, `${good ? "✓" : "▲"} ${text}`)));
  }

  // Behind its cover, away from everything else, in another colour, with other words.
  #guard() {
    const why = this.#why("stop");
    if (why) {
      this.#say(`Emergency stop: ${why}`, "caution");
      return;
    }
    const drone = this.model.drone;
    const spec = this.model.actions.stop;
    const button = holdButton(`Hold: STOP MOTORS of ${drone.name}`, "stop", () => this.#give("stop", {}, drone.name));
    this.#show("stop", drone, [el("p", { class: "sentence" }, spec.consequence.replace("{name}", drone.name)), button], button);
  }

  handOver() {
    const drone = this.model.drone;
    const input = el("input", { type: "text", autocomplete: "off", spellcheck: "false", size: 34, pattern: "[0-9a-f]{32}", required: true, title: "32 hexadecimal digits" });
    const idField = el("label", { class: "field" }, "Its id", input);
    const others = Object.entries(this.model.stations).filter(([, id]) => id !== drone.authority.own_id);
    const choice = el("select", { onchange: () => setHidden(idField, choice.value !== "") },
      ...others.map(([name, id]) => el("option", { value: id }, name)), el("option", { value: "" }, "another, by its id"));
    setHidden(idField, choice.value !== "");
    const { track } = slider("Slide: hand over", "hand-over", () => {
      if (choice.value || input.reportValidity()) this.authority("hand_over", choice.value || input.value, drone.name);
    });
    this.#show("hand over", drone, [
      el("p", { class: "sentence" }, `Command of ${drone.name} is offered to another station, which has 10 s to accept.`),
      ...others.length ? [el("label", { class: "field" }, "Station", choice)] : [], idField, track], others.length ? choice : input, 60000);
  }

  async authority(verb, station = "", name = this.model.selected) {
    this.close();
    const why = await this.live.ask({ type: "authority", drone: name, verb, station });
    if (why) this.#say(`${name}: ${why}`, "alarm");
  }

  async reload() {
    if (!this.model.drone) return;
    const why = await this.live.ask({ type: "reload", drone: this.model.selected });
    if (why) this.#say(why, "caution");
  }

  // The second step: the drone asks back whether it is really meant.
  #challenge(drone) {
    const [nonce, text, expires, own] = drone.challenge;
    if (this.#open?.nonce === nonce || this.#answered === nonce) return;
    const answer = async (yes) => {
      this.#answered = nonce;
      this.close();
      const why = await this.live.ask({ type: "answer", drone: drone.name, nonce, yes });
      if (why) this.#say(why, "alarm");
    };
    const button = holdButton(`Hold: confirm for ${drone.name}`, "confirm", () => answer(true));
    this.#show("challenge", drone, [
      el("p", { class: "sentence" }, `${drone.name} asks whether this is meant${own ? "" : " (asked by another tool or station)"}: ${text}`),
      button, el("button", { type: "button", onclick: () => answer(false) }, "No")], button, Math.max(500, expires - this.model.now()));
    this.#open.nonce = nonce;
  }
  #answered = null;

  #show(action, drone, content, focus, expires = EXPIRES) {
    this.returnTo = document.activeElement;
    const countdown = el("progress", { class: "countdown", max: expires, value: expires, "aria-label": "Time left" });
    const cancel = el("button", { type: "button", class: "cancel", onclick: () => this.close() }, "Cancel (Esc)");
    this.strip.replaceChildren(el("span", { class: "addressee" }, drone.name), ...content, cancel, countdown);
    this.strip.className = `strip ${action.replace(" ", "-")}`;
    this.#note = null;
    this.#open = { action, drone, countdown, length: expires, until: performance.now() + expires, extends: action !== "challenge" };
    setHidden(this.strip, false);
    setAttribute(this.cover, "aria-expanded", action === "stop" ? "true" : "false");
    focus.focus();
  }

  #touch() {
    if (this.#open?.extends) this.#open.until = performance.now() + this.#open.length;
  }

  close() {
    if (!this.#open) return;
    this.#open = null;
    setHidden(this.strip, true);
    setAttribute(this.cover, "aria-expanded", "false");
    if (this.returnTo?.isConnected) this.returnTo.focus();
  }

  async #give(action, given, name = this.model.selected) {
    this.close();
    const label = this.model.actions[action].label;
    const known = this.model.drones.get(name)?.orders.at(-1)?.number ?? 0;
    const why = await this.live.ask({ type: "order", drone: name, action, arguments: given });
    if (why) this.#say(`${label}, ${name}: not sent. ${why}`, "alarm");
    else this.#follow(name, known);
  }

  #follow(name, known) {
    this.#note = { name, known, since: performance.now() };
    this.#showNote();
  }

  #say(text, level) {
    if (this.#open) this.close();
    this.#note = { text, level, since: performance.now() };
    this.#showNote();
  }

  #showNote() {
    const note = this.#note;
    let { text, level } = note;
    if (!text) {
      const order = this.model.drones.get(note.name)?.orders.find((one) => one.number > note.known);
      if (!order) return;
      level = { accepted: "good", refused: "alarm", "no answer": "alarm" }[order.outcome] ?? "caution";
      text = `${order.text} Order ${orderText(order)}, ${age(this.model.now() - order.changed_ms)} ago`;
    }
    if (!note.node?.isConnected) {
      note.node = el("p", { class: "note", role: "status" });
      this.strip.replaceChildren(note.node);
    }
    this.strip.className = `strip said ${level}`;
    setText(note.node, text);
    setHidden(this.strip, false);
  }

  show() {
    const drone = this.model.drone;
    setText(this.vehicle, drone?.name ?? "no drone");
    for (const [name, button] of Object.entries(this.#buttons)) {
      const why = this.#why(name);
      setAttribute(button, "aria-disabled", why ? "true" : null);
      setAttribute(button, "title", why || this.model.actions[name].consequence.replace(/\{name\}/, drone?.name ?? "").replace(/\{.*?\}/g, "…"));
    }
    for (const [name, button] of [["stop", this.cover], ["force_arm", this.force]]) {
      const why = this.#why(name);
      setAttribute(button, "aria-disabled", why ? "true" : null);
      setAttribute(button, "title", why);
    }
    setHidden(this.force, !drone || Boolean(drone.blocked.force_arm));
    for (const each of this.model.drones.values())
      if (each.challenge && this.model.role === "operator") this.#challenge(each);
    const open = this.#open;
    if (open) {
      open.countdown.value = open.until - performance.now();
      const gone = open.nonce && open.drone.challenge?.[0] !== open.nonce;
      if (performance.now() > open.until || gone || (open.drone !== drone && open.action !== "challenge")) this.close();
    } else if (this.#note) {
      if (performance.now() - this.#note.since > SHOW_RESULT) {
        this.#note = null;
        setHidden(this.strip, true);
      } else this.#showNote();
    } else setHidden(this.strip, true);
  }
}

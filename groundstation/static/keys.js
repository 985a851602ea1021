// Shortcuts of one key; they can be switched off, since speech input may type by mistake.

import { byId, el } from "./dom.js";

const STORED = "sekisho-keys";
const LIST = [
  ["1 … 9", "select a drone"],
  ["P", "pause: hold position at once"],
  ["R, L", "return, land: then hold Enter for a second"],
  ["A, T, N", "arm, take off, start the mission: then hold Enter for a second"],
  ["G, H, V, M, D", "go to the mark, altitude, speed, mode, disarm"],
  ["E", "emergency stop: open the cover; then hold Enter for a second"],
  ["K", "mark the middle of the map"],
  ["C", "centre the map on the drone and follow it"],
  ["S", "silence the alarm's sound"],
  ["Esc", "cancel what is open"],
  ["?", "this list"],
];

export class Keys {
  constructor(deeds) {
    this.deeds = deeds;
    this.on = localStorage.getItem(STORED) !== "off";
    this.dialog = byId("keys");
    const box = el("input", { type: "checkbox", checked: this.on, onchange: () => {
      this.on = box.checked;
      localStorage.setItem(STORED, this.on ? "on" : "off");
    } });
    this.dialog.append(
      el("h2", { id: "keys-title" }, "Keys"),
      el("dl", { class: "keys" }, ...LIST.flatMap(([key, text]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, text)])),
      el("label", { class: "field" }, box, "Shortcuts of one key are on"),
      el("button", { type: "button", onclick: () => this.dialog.close() }, "Close"));
    byId("help").addEventListener("click", () => this.dialog.showModal());
    addEventListener("keydown", (event) => this.#press(event));
  }

  #press(event) {
    if (event.key === "Escape" && !this.dialog.open) this.deeds.Escape();
    if (!this.on || this.dialog.open || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.closest?.("input, select, textarea")) return;
    if (event.key === "?") this.dialog.showModal();
    else if (/^[1-9]$/.test(event.key)) this.deeds.select(Number(event.key) - 1);
    else this.deeds[event.key.toUpperCase()]?.();
  }
}

// What stands in the place of map and panel. Drones, alarms, log and actions stay where they are.
//
// A view is a module that exports `open(place, context)`: it fills the place and returns
// { show(model), close() }. It is loaded when it is first opened.

import { byId, el, setAttribute, setHidden } from "./dom.js";

const FLY = "fly";
const VIEWS = [
  // [name, label, () => import(its module)]
  ["plan", "Plan", () => import("./plan.js")],
  ["parameters", "Parameters", () => import("./parameters.js")],
  ["flights", "Flights", () => import("./flights.js")],
];

export class Views {
  #context;
  #open = null;
  #asked = FLY;
  #buttons = new Map();

  constructor(context) {
    this.#context = context;
    for (const [name, label] of [[FLY, "Fly"], ...VIEWS]) {
      this.#buttons.set(name, el("button", { type: "button", onclick: () => this.choose(name) }, label));
    }
    byId("views").append(...this.#buttons.values());
    setHidden(byId("views"), VIEWS.length === 0);
    this.#mark();
  }

  async choose(name) {
    if (name === this.#asked) return;
    this.#asked = name;
    this.#open?.close();
    this.#open = null;
    const place = byId("view");
    place.replaceChildren();
    for (const part of [byId("map").parentElement, byId("panel")]) setHidden(part, name !== FLY);
    setHidden(place, name === FLY);
    setAttribute(place, "role", name === FLY ? null : "main");
    this.#mark();
    if (name === FLY) return;
    const [, label, load] = VIEWS.find(([known]) => known === name);
    setAttribute(place, "aria-label", label);
    const module = await load();
    if (this.#asked === name) this.#open = module.open(place, this.#context);
  }

  show(model) {
    this.#open?.show(model);
  }

  #mark() {
    for (const [name, button] of this.#buttons) setAttribute(button, "aria-current", name === this.#asked ? "page" : null);
  }
}

// A labelled value that ages: grey, hatched and with its age once it must not be taken for the present.

import { el, setAttribute, setClass, setText } from "./dom.js";
import { age as shownAge } from "./units.js";

export class Cell {
  // `read(drone)` gives [text, unit, level?]; `group` is what its age is that of.
  constructor(label, group, read, title) {
    this.group = group;
    this.read = read;
    this.value = el("span", { class: "value" });
    this.unit = el("span", { class: "unit" });
    this.age = el("span", { class: "age" });
    this.root = el("div", { class: "cell", title }, el("dt", {}, label),
      el("dd", {}, this.value, this.unit, this.age));
  }

  show(drone) {
    const [text, unit = "", level = null] = this.read(drone);
    const stale = drone.isStale(this.group);
    setText(this.value, text);
    setText(this.unit, unit);
    setText(this.age, stale ? shownAge(drone.age(this.group)) : "");
    setClass(this.root, "stale", stale);
    setAttribute(this.root, "data-level", stale ? null : level);
  }
}

export const cells = (className, list) => el("dl", { class: `cells ${className}` }, ...list.map((cell) => cell.root));

// Recorded flights: the list of them, and one played again. What is played again never looks live:
// its frame is hatched, its colour another, its bar says so, and nothing can be ordered meanwhile.

import { el, setAttribute, setClass, setHidden, setText } from "./dom.js";
import { Replay } from "./replay.js";
import { NONE, clock, number } from "./units.js";

const GONE = "No recording is open";
const LEVEL = { clean: "good", "cut short": "caution", damaged: "alarm" };
const SHAPE = { clean: "●", "cut short": "▲", damaged: "■" };
const WORD = { clean: "whole", "cut short": "cut short", damaged: "DAMAGED" };

const when = (ms) => (ms == null ? NONE : new Date(ms).toISOString().slice(0, 19).replace("T", " "));
const size = (bytes) => (bytes < 1e5 ? `${number(bytes / 1e3)} kB` : `${number(bytes / 1e6, 1)} MB`);

class FlightsView {
  constructor(place, { model, live }) {
    this.live = live;
    this.replay = null;
    this.note = el("p", { class: "flights-note", role: "status" });
    this.rows = el("tbody");
    this.reload = el("button", { type: "button", onclick: () => this.list() }, "Look again");
    this.table = el("table", { class: "flights-table" },
      el("thead", {}, el("tr", {}, ...["Drone", "Begun, UTC", "Length", "Size", "Recorded", "Seal", ""].map((text) => el("th", { scope: "col" }, text || el("span", { class: "unseen" }, "Open"))))),
      this.rows);
    this.chooser = el("div", { class: "flights-list" },
      el("header", {}, el("h2", {}, "Recorded flights"), this.reload), this.note,
      el("div", { class: "flights-scroll", tabindex: 0, role: "region", "aria-label": "Recorded flights" }, this.table));
    this.stage = el("div", { class: "flights-stage", hidden: true });
    this.place = place;
    place.append(this.chooser, this.stage);
    this.model = model;
    live.onView.flights = (said) => this.take(said);
    this.list();
  }

  async ask(message) {
    const why = await this.live.ask({ type: "flights", ...message });
    if (!why) return;
    if (why === GONE) this.leave(); // the gateway has started again, and knows of no replay
    this.replay?.tell(why);
    this.say(why);
  }

  say(text, level = "alarm") {
    setText(this.note, text);
    setClass(this.note, "alarm", Boolean(text) && level === "alarm");
  }

  list() {
    this.say("Looking at the recordings …", "quiet");
    this.ask({ do: "list" });
  }

  open(name) {
    this.say(`Opening ${name} …`, "quiet");
    this.ask({ do: "open", name });
  }

  leave() {
    if (!this.replay) return;
    this.replay.close();
    this.replay = null;
    this.ask({ do: "close" });
    this.stage.replaceChildren();
    setHidden(this.stage, true);
    setHidden(this.chooser, false);
    this.reload.focus();
  }

  take(said) {
    switch (said.what) {
      case "list":
        this.showList(said);
        break;
      case "failed":
        this.say(said.why);
        break;
      case "open":
        this.say("", "quiet");
        setHidden(this.chooser, true);
        setHidden(this.stage, false);
        this.replay = new Replay(this.stage, said, this.model, (message) => this.ask(message), () => this.leave());
        break;
      default:
        this.replay?.take(said);
    }
  }

  showList({ rows, note }) {
    this.say(note || (rows.length ? "" : "No flight has been recorded here yet: a recording begins with the arming."), note ? "alarm" : "quiet");
    setHidden(this.table, rows.length === 0);
    this.rows.replaceChildren(...rows.map((row) => {
      const what = row.is_open ? "being recorded" : WORD[row.state];
      const level = row.is_open ? "quiet" : LEVEL[row.state];
      const where = row.where === "ground" ? "on the ground" : "aboard";
      const button = el("button", { type: "button", "aria-label": `Open ${row.name}`, onclick: () => this.open(row.name) }, "Open");
      return el("tr", { title: row.name },
        el("td", { class: "strong" }, row.drone || row.name), el("td", {}, when(row.begun_ms)),
        el("td", { class: "right" }, row.seconds == null ? NONE : clock(1000 * row.seconds)), el("td", { class: "right" }, size(row.bytes)),
        el("td", {}, where),
        el("td", { class: level, title: row.summary }, el("span", { "aria-hidden": "true" }, `${row.is_open ? "○" : SHAPE[row.state]} `), what),
        el("td", {}, note ? null : button));
    }));
  }

  show() {
    this.replay?.keepShown();
  }

  close() {
    this.leave();
    delete this.live.onView.flights;
  }
}

export const open = (place, context) => new FlightsView(place, context);

// One recorded flight, played again by the gateway into the same model and the same instruments.

import { BaseMap, colour } from "./basemap.js";
import { el, setAttribute, setClass, setText, svg } from "./dom.js";
import { craft } from "./map.js";
import { Drone, Model } from "./model.js";
import { Instruments } from "./panel.js";
import { clock, number } from "./units.js";

const SPEEDS = [0.25, 0.5, 1, 2, 4, 8, 16];
const JUMP = 10; // s
const NUDGE = 1;
const LEVELS = ["quiet", "good", "caution", "alarm"];
const TEXTS = 8;

// The model stands still between two pictures: its time is the recording's.
class Then extends Model {
  now() {
    return this.pictureNow ?? 0;
  }

  get silence() {
    return 0;
  }
}

export class Replay {
  constructor(stage, opened, live, ask, leave) {
    this.opened = opened;
    this.ask = ask;
    this.at = 0; // s
    this.playing = false;
    this.speed = 1;
    this.model = new Then();
    Object.assign(this.model, { places: live.places, stale: live.stale, modes: live.modes });
    this.fresh();
    this.build(stage, leave);
    this.buildMap(live.maps);
    this.onKey = (event) => this.press(event, leave);
    addEventListener("keydown", this.onKey, { capture: true });
    document.body.classList.add("replaying");
    this.themes = new MutationObserver(() => this.base.setTheme());
    this.themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    this.play.focus();
  }

  fresh() {
    this.drone = new Drone(this.opened.drone, this.model);
  }

  build(stage, leave) {
    const { opened } = this;
    const begun = new Date(opened.begun_ms).toISOString();
    this.time = el("span", { class: "replay-then" });
    this.state = el("span", { class: "replay-state" });
    this.instruments = new Instruments();
    this.mode = el("p", { class: "replay-mode" });
    this.play = el("button", { type: "button", class: "replay-play", onclick: () => this.toggle() });
    this.speeds = el("select", { "aria-label": "Speed", onchange: () => this.faster(Number(this.speeds.value)) },
      ...SPEEDS.map((speed) => el("option", { value: speed }, `×${speed}`)));
    this.speeds.value = "1";
    this.slider = el("input", { type: "range", min: 0, max: opened.length, step: 0.1, value: 0, "aria-label": "Time in the recording", class: "replay-slider",
      oninput: () => this.seek(Number(this.slider.value)) });
    this.clock = el("output", { class: "replay-clock" });
    this.events = opened.events.map(([at, kind, level, text]) => {
      const button = el("button", { type: "button", onclick: () => this.seek(at) },
        el("span", { class: "when" }, clock(1000 * at)), el("span", { class: "what" }, kind), el("span", { class: "text" }, text));
      return { at, level, node: el("li", { class: LEVELS[level] }, button) };
    });
    this.texts = el("ol", { class: "replay-texts", tabindex: 0, "aria-label": "Messages then" });
    this.mapNode = el("div", { class: "replay-map" });
    this.mapNote = el("p", { class: "map-note" });
    const button = (label, deed, title) => el("button", { type: "button", onclick: deed, title }, label);
    stage.append(
      el("header", { class: "replay-banner" },
        el("strong", {}, "REPLAY, NOT LIVE"),
        el("span", { class: "replay-whose" }, `${opened.drone} on ${begun.slice(0, 10)}`), this.time,
        el("span", { class: `replay-seal ${LEVELS[opened.level]}` }, opened.summary), this.state,
        el("button", { type: "button", class: "replay-leave", onclick: leave }, "Close the replay")),
      el("div", { class: "replay-body" },
        el("div", { class: "replay-ground", role: "region", "aria-label": "Map of the replay" }, this.mapNode, this.mapNote),
        el("aside", { class: "replay-side", tabindex: 0, "aria-label": "Instruments of the replay" },
          this.mode, this.instruments.fly, ...this.instruments.about,
          el("dl", { class: "cells navigation" }, ...this.instruments.navigation.map((cell) => cell.root)),
          el("h3", {}, "Messages then"), this.texts),
        el("section", { class: "replay-events", "aria-label": "Events" }, el("h3", {}, "Events"),
          this.events.length ? el("ol", { tabindex: 0, "aria-label": "Events" }, ...this.events.map(({ node }) => node)) : el("p", { class: "none" }, "None."))),
      el("div", { class: "replay-transport", role: "toolbar", "aria-label": "Replay" },
        el("div", { class: "replay-line" }, this.profile(), this.slider),
        this.play, button("−10 s", () => this.seek(this.at - JUMP)), button("+10 s", () => this.seek(this.at + JUMP)),
        button("‹ Event", () => this.jump(-1), "The event before"), button("Event ›", () => this.jump(1), "The next event"),
        el("label", { class: "field" }, "Speed", this.speeds), this.clock,
        el("span", { class: "replay-keys" }, "Space plays, arrows move, [ ] events, − + speed, Esc closes")));
    this.showTime();
  }

  // The height over the flight, with what happened, behind the slider.
  profile() {
    const { length, track, armed } = this.opened;
    const heights = track.map(([, , , height]) => height);
    const top = Math.max(5, ...heights);
    const x = (at) => number((1000 * at) / Math.max(length, 0.1), 1);
    const points = track.map(([at, , , height]) => `${x(at)},${number(40 - (36 * Math.max(0, height)) / top, 1)}`).join(" ");
    return svg("svg", { viewBox: "0 0 1000 42", preserveAspectRatio: "none", class: "replay-profile", role: "img", "aria-label": `Height over the flight, up to ${number(top)} m` },
      ...armed.map(([from, to]) => svg("rect", { class: "armed", x: x(from), y: 0, width: Math.max(0, x(to) - x(from)), height: 42 })),
      svg("polyline", { points, class: "height" }),
      ...this.opened.events.filter(([, , level]) => level >= 2).map(([at, , level]) =>
        svg("path", { class: LEVELS[level], d: `M${x(Math.max(0, at))} 0v42` })));
  }

  buildMap(tiles) {
    this.base = new BaseMap(this.mapNode, this.mapNote);
    this.base.setTiles(tiles);
    const { track, home, drone } = this.opened;
    const L = window.L;
    this.ahead = L.polyline(track.map(([, lat, lon]) => [lat, lon]), { color: colour("--stale"), weight: 1.5, dashArray: "2 5", interactive: false }).addTo(this.base.map);
    this.parts = craft(drone);
    this.line = L.polyline([], { color: colour("--mission"), weight: 2.5, interactive: false }).addTo(this.base.map);
    if (home) this.parts.home.setLatLng(home).addTo(this.base.map);
    if (track.length) this.base.map.fitBounds(this.ahead.getBounds().pad(0.2), { animate: false, maxZoom: 19 });
  }

  take(said) {
    if (said.what !== "picture") return;
    if (said.fresh) this.fresh();
    this.at = said.at / 1000;
    this.playing = said.playing;
    this.speed = said.speed;
    this.model.pictureNow = said.at;
    this.drone.merge(said.changes);
    this.keepShown();
  }

  // The theme or the size may have changed, though time has not.
  keepShown() {
    const { drone, parts } = this;
    this.instruments.show(drone);
    const [armed, flying] = drone.timers;
    const since = flying != null ? `flying ${clock(this.model.now() - flying)}` : armed != null ? `armed ${clock(this.model.now() - armed)}` : "on ground";
    setText(this.mode, `Then: ${drone.mode}, ${since}`);
    const at = drone.place;
    if (at) {
      parts.mark.setLatLng(at);
      if (!this.base.map.hasLayer(parts.mark)) parts.mark.addTo(this.base.map);
      setAttribute(parts.arrow, "transform", `rotate(${drone.get("position", "hdg") ?? 0})`);
      setClass(parts.node, "stale", drone.isStale("position"));
    }
    const flown = this.opened.track.filter(([time]) => time <= this.at).map(([, lat, lon]) => [lat, lon]);
    this.line.setLatLngs(at ? [...flown, at] : flown);
    this.line.setStyle({ color: colour("--mission") });
    this.showTexts();
    this.showTime();
  }

  showTexts() {
    const texts = this.drone.messages.slice(-TEXTS).reverse();
    const key = JSON.stringify(texts);
    if (key === this.shownTexts) return;
    this.shownTexts = key;
    this.texts.replaceChildren(...texts.map(([, seen, severity, text]) =>
      el("li", { class: severity <= 3 ? "alarm" : severity === 4 ? "caution" : "quiet" }, el("span", { class: "when" }, clock(seen)), text)));
  }

  showTime() {
    const then = new Date(this.opened.begun_ms + 1000 * this.at);
    setText(this.time, `${then.toISOString().slice(11, 19)} UTC`);
    setText(this.state, this.playing ? `playing ×${this.speed}` : "paused");
    setText(this.play, this.playing ? "❚❚ Pause" : "▶ Play");
    setText(this.clock, `${clock(1000 * this.at)} / ${clock(1000 * this.opened.length)}`);
    if (document.activeElement !== this.slider || this.playing) this.slider.value = this.at;
    setAttribute(this.slider, "aria-valuetext", `${clock(1000 * this.at)} of ${clock(1000 * this.opened.length)}`);
    let current = null;
    for (const event of this.events) if (event.at <= this.at + 0.05) current = event;
    if (current === this.current) return;
    for (const event of this.events) setAttribute(event.node.firstChild, "aria-current", event === current ? "true" : null);
    this.current = current;
    current?.node.scrollIntoView({ block: "nearest" });
  }

  tell(why) {
    setText(this.state, why);
  }

  seek(at) {
    this.ask({ do: "seek", at: Math.min(Math.max(0, at), this.opened.length) });
  }

  toggle() {
    this.ask(this.playing ? { do: "pause" } : { do: "play", speed: this.speed });
  }

  faster(speed) {
    this.speed = speed;
    this.speeds.value = String(speed);
    if (this.playing) this.ask({ do: "play", speed });
  }

  jump(by) {
    const found = by > 0 ? this.events.find(({ at }) => at > this.at + 0.1) : this.events.findLast(({ at }) => at < this.at - 0.1);
    if (found) this.seek(found.at);
  }

  // While a replay is open no key orders anything: only its own are heard, and the alarm's.
  press(event, leave) {
    if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
    const inField = event.target.closest?.("input, select, textarea");
    const onButton = event.target.closest?.("button");
    const next = SPEEDS[SPEEDS.indexOf(this.speed) + (event.key === "+" ? 1 : -1)];
    const deeds = {
      " ": () => this.toggle(), ArrowLeft: () => this.seek(this.at - NUDGE), ArrowRight: () => this.seek(this.at + NUDGE),
      Home: () => this.seek(0), End: () => this.seek(this.opened.length),
      "[": () => this.jump(-1), "]": () => this.jump(1), "+": () => next && this.faster(next), "-": () => next && this.faster(next),
      Escape: leave,
    };
    const own = deeds[event.key];
    const theirs = inField || (onButton && event.key === " ") || event.target.closest?.(".replay-map");
    if (own && !(theirs && event.key !== "Escape")) {
      event.preventDefault();
      event.stopImmediatePropagation();
      own();
    } else if (/^[a-z0-9]$/i.test(event.key) && event.key.toUpperCase() !== "S") event.stopImmediatePropagation();
  }

  close() {
    removeEventListener("keydown", this.onKey, { capture: true });
    document.body.classList.remove("replaying");
    this.themes.disconnect();
    this.base.close();
  }
}

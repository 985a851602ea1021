// Artificial horizon and heading tape, drawn once and moved by attributes.

import { el, setAttribute, setClass, setText, svg } from "./dom.js";
import { degrees, number } from "./units.js";

const PER_DEGREE = 2; // user units of the horizon per degree of pitch
const TAPE = 3; // of the tape per degree of heading
const WORDS = { 0: "N", 45: "NE", 90: "E", 135: "SE", 180: "S", 225: "SW", 270: "W", 315: "NW" };

function ladder() {
  const marks = [];
  for (let pitch = -60; pitch <= 60; pitch += 10) {
    if (pitch === 0) continue;
    const y = -pitch * PER_DEGREE;
    const half = pitch % 20 ? 9 : 16;
    marks.push(svg("path", { d: `M${-half} ${y}H${half}`, class: "mark" }));
    if (pitch % 20 === 0) marks.push(svg("text", { x: half + 3, y: y + 3, class: "legend" }, String(Math.abs(pitch))));
  }
  return marks;
}

function tape() {
  const marks = [];
  for (let heading = -90; heading <= 450; heading += 15) {
    const x = heading * TAPE;
    const whole = ((heading % 360) + 360) % 360;
    const word = WORDS[whole];
    marks.push(svg("path", { d: `M${x} 0V${whole % 45 ? 4 : 7}`, class: "mark" }));
    if (word || whole % 30 === 0)
      marks.push(svg("text", { x, y: 16, class: word ? "legend strong" : "legend" }, word ?? String(whole)));
  }
  return marks;
}

export class Attitude {
  constructor() {
    this.horizon = svg("g", {},
      svg("rect", { x: -200, y: -400, width: 400, height: 400, class: "sky" }),
      svg("rect", { x: -200, y: 0, width: 400, height: 400, class: "ground" }),
      svg("path", { d: "M-200 0H200", class: "edge" }),
      ...ladder());
    this.pointer = svg("path", { d: "M0 -54l-5 -9h10z", class: "pointer" });
    const scale = [-45, -30, -15, 0, 15, 30, 45].map((roll) =>
      svg("path", { d: "M0 -63v-6", class: "mark", transform: `rotate(${roll})` }));
    this.picture = svg("svg", { viewBox: "-100 -75 200 150", class: "horizon", role: "img" },
      this.horizon, ...scale, this.pointer,
      svg("path", { d: "M-60 0h30l8 8M60 0h-30l-8 8M-2 0h4", class: "craft" }));
    this.strip = svg("g", {}, ...tape());
    this.heading = svg("text", { x: 0, y: 32, class: "heading" });
    this.compass = svg("svg", { viewBox: "-100 -2 200 38", class: "compass", role: "img" },
      this.strip, svg("path", { d: "M0 0l-5 -6h10z", class: "pointer" }),
      svg("rect", { x: -22, y: 19, width: 44, height: 16, rx: 2, class: "box" }), this.heading);
    this.root = el("div", { class: "attitude" }, this.picture, this.compass);
  }

  show(drone) {
    const [roll, pitch] = [drone.get("attitude", "roll"), drone.get("attitude", "pitch")];
    const yaw = drone.get("position", "hdg") ?? drone.get("attitude", "yaw");
    const stale = roll == null || drone.isStale("attitude");
    setClass(this.root, "stale", stale);
    const shift = Math.max(-80, Math.min(80, pitch ?? 0)) * PER_DEGREE;
    setAttribute(this.horizon, "transform", `rotate(${-(roll ?? 0)}) translate(0 ${shift})`);
    setAttribute(this.pointer, "transform", `rotate(${-(roll ?? 0)})`);
    const heading = yaw == null ? 0 : ((yaw % 360) + 360) % 360;
    setAttribute(this.strip, "transform", `translate(${-heading * TAPE} 0)`);
    setText(this.heading, degrees(yaw));
    const old = stale ? " (old)" : "";
    setAttribute(this.picture, "aria-label", `Attitude${old}: roll ${number(roll)}°, pitch ${number(pitch)}°`);
    setAttribute(this.compass, "aria-label", `Heading${old}: ${degrees(yaw)}`);
  }
}

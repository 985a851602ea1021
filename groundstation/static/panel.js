// Everything about the selected drone: word and reasons, instruments, energy, navigation, link.

import { Attitude } from "./attitude.js";
import { Cell, cells } from "./cells.js";
import { el, setAttribute, setClass, setHidden, setText } from "./dom.js";
import { LEVELS, shape, wordOf } from "./level.js";
import { SecureLink } from "./securelink.js";
import { Trend } from "./trend.js";
import { NONE, age, between, clock, degrees, distance, number } from "./units.js";

const FIXES = ["no GNSS", "no fix", "2D", "3D", "DGPS", "RTK float", "RTK fixed"];
const VARIANCES = ["velocity_variance", "pos_horiz_variance", "pos_vert_variance", "compass_variance"];

const below = (value, caution, alarm) => (value == null ? null : value <= alarm ? "alarm" : value <= caution ? "caution" : null);

const toHome = (drone) => (drone.home && drone.place ? between(drone.place, drone.home) : null);
const isNone = (given) => given == null;

function altitude(drone) {
  const amsl = drone.get("position", "alt");
  return [number(drone.get("position", "relative_alt"), 1), isNone(amsl) ? "m" : `m · ${number(amsl)} AMSL`];
}

function wind(drone) {
  const speed = drone.get("wind", "speed");
  return isNone(speed) ? [NONE] : [number(speed, 1), `m/s ${degrees(drone.get("wind", "direction"))}`];
}

function home(drone) {
  const way = toHome(drone);
  return way ? [distance(way.metres), degrees(way.bearing)] : [NONE];
}

function waypoint(drone) {
  const total = drone.get("mission", "total");
  if (!total) return [total === 0 ? "none" : NONE];
  return [`${drone.get("mission", "seq")}/${total}`, distance(drone.get("navigation", "wp_dist"))];
}

function battery(drone) {
  const percent = drone.get("system", "battery_remaining");
  const volts = drone.get("system", "voltage_battery");
  return [number(percent), isNone(volts) ? "%" : `% · ${number(volts, 1)} V`, below(percent, 30, 15)];
}

const timeLeft = (drone) => (isNone(drone.endurance) ? [NONE] : [clock(drone.endurance * 1000), "est."]);

function current(drone) {
  const used = drone.get("battery", "current_consumed");
  return [number(drone.get("system", "current_battery"), 1), isNone(used) ? "A" : `A · ${number(used)} mAh`];
}

function gnss(drone) {
  const fix = drone.get("gnss", "fix_type");
  if (isNone(fix)) return [NONE];
  const facts = `${number(drone.get("gnss", "satellites_visible"))} sat · HDOP ${number(drone.get("gnss", "eph"), 1)}`;
  return [FIXES[fix] ?? `fix ${fix}`, facts, fix < 3 ? "caution" : null];
}

function ekf(drone) {
  const values = VARIANCES.map((name) => drone.get("ekf", name)).filter((each) => each != null);
  const worst = values.length ? Math.max(...values) : null;
  return [number(worst, 2), "of 0.8", worst >= 0.8 ? "alarm" : worst >= 0.5 ? "caution" : null];
}

function deception(drone) {
  const suspect = drone.authority.navigation_suspect;
  return isNone(suspect) ? [NONE] : suspect ? ["SUSPECT", "", "alarm"] : ["no alarm"];
}

const RECORDING = { recording: ["recording"], idle: ["ready"], off: ["off", "", "caution"], unavailable: ["NONE", "no key to seal to", "caution"] };

function recorder(drone) {
  const { state, reason, bytes } = drone.recorder ?? {};
  if (isNone(state)) return [NONE];
  if (state === "stopped") return ["STOPPED", reason ?? "", "alarm"];
  const [text, unit = "", level = null] = RECORDING[state];
  return [text, state === "recording" ? `${number((bytes ?? 0) / 1e6, 1)} MB` : unit, level];
}

function vibration(drone) {
  const values = ["vibration_x", "vibration_y", "vibration_z"].map((name) => drone.get("vibration", name));
  const worst = isNone(values[0]) ? null : Math.max(...values);
  return [number(worst), "m/s²", worst >= 60 ? "alarm" : worst >= 30 ? "caution" : null];
}

const value = (group, field, decimals, unit) => (drone) => [number(drone.get(group, field), decimals), unit];

// What flies, as numbers: the same for what is live and for what is played again.
export class Instruments {
  constructor() {
    this.attitude = new Attitude();
    this.battery = el("progress", { max: 100, "aria-label": "Battery" });
    this.batteryBox = el("div", { class: "battery" }, this.battery);
    this.primary = [
      new Cell("Above home", "position", altitude),
      new Cell("Climb", "air", value("air", "climb", 1, "m/s")),
      new Cell("Ground speed", "air", value("air", "groundspeed", 1, "m/s")),
      new Cell("Air speed", "air", value("air", "airspeed", 1, "m/s")),
    ];
    this.flight = [
      new Cell("Wind from", "wind", wind),
      new Cell("Home", "position", home),
      new Cell("Waypoint", "mission", waypoint),
    ];
    this.energy = [
      new Cell("Battery", "system", battery),
      new Cell("Time left", "system", timeLeft, "From what is left and the mean current"),
      new Cell("Current", "system", current),
    ];
    this.navigation = [
      new Cell("GNSS", "gnss", gnss),
      new Cell("EKF, worst ratio", "ekf", ekf, "ArduCopter acts at 0.8"),
      new Cell("Vibration", "vibration", vibration),
    ];
    this.fly = el("div", { class: "fly" }, this.attitude.root, cells("primary", this.primary));
    this.about = [cells("flight", this.flight), this.batteryBox, cells("energy", this.energy)];
  }

  show(drone) {
    this.attitude.show(drone);
    const percent = drone.get("system", "battery_remaining");
    this.battery.value = percent ?? 0;
    setAttribute(this.batteryBox, "data-level", below(percent, 30, 15));
    setClass(this.batteryBox, "stale", percent == null || drone.isStale("system"));
    for (const cell of [...this.primary, ...this.flight, ...this.energy, ...this.navigation]) cell.show(drone);
  }
}

export class Panel {
  constructor(root, actions) {
    this.secure = new SecureLink(actions);
    this.trend = new Trend();
    this.name = el("h2", { class: "vehicle" });
    this.word = el("p", { class: "word" });
    this.reasons = el("ul", { class: "reasons" });
    this.mode = el("p", { class: "mode" });
    this.banner = el("div", { class: "banner" }, this.word, this.mode);
    this.timers = el("p", { class: "timers" });
    this.clear = el("button", { type: "button", onclick: () => actions.authority("clear_alarm") }, "Clear navigation alarm");
    this.instruments = new Instruments();
    this.more = [
      new Cell("Deception monitor", "heartbeat", deception, "The companion's monitor for false positions"),
      new Cell("Recorder", "recorder", recorder, "What the gateway records of this drone, sealed"),
    ];
    this.body = el("div", { class: "body" },
      el("header", { class: "head" }, el("div", { class: "title" }, this.name, this.timers),
        this.banner, this.reasons, this.clear),
      this.instruments.fly, ...this.instruments.about, this.secure.root,
      cells("navigation", [...this.instruments.navigation, ...this.more]),
      el("h3", {}, "Last ten minutes"), this.trend.root);
    this.empty = el("p", { class: "empty" }, "No drone is selected.");
    root.append(this.empty, this.body);
  }

  show(model) {
    const drone = model.drone;
    setHidden(this.empty, Boolean(drone));
    setHidden(this.body, !drone);
    if (!drone) return;
    const [word, level, reasons] = wordOf(drone);
    setText(this.name, drone.name);
    setText(this.word, `${shape(level)} ${word}`);
    for (const [index, name] of LEVELS.entries()) setClass(this.banner, name, index === level);
    setText(this.mode, `${drone.mode}${drone.isStale("heartbeat") ? ` · ${age(drone.age("heartbeat"))} old` : ""}`);
    setClass(this.mode, "stale", drone.isStale("heartbeat"));
    this.#showReasons(reasons);
    const [armed, flying] = drone.timers;
    setText(this.timers, flying != null ? `Flying ${clock(model.now() - flying)}` : armed != null ? `Armed ${clock(model.now() - armed)}` : "On ground");
    setHidden(this.clear, !drone.authority.navigation_suspect);
    this.instruments.show(drone);
    for (const cell of this.more) cell.show(drone);
    this.secure.show(drone);
    this.trend.show(drone);
  }

  #showReasons(reasons) {
    const text = JSON.stringify(reasons);
    if (text === this.shown) return;
    this.shown = text;
    this.reasons.replaceChildren(...reasons.map(([level, reason]) =>
      el("li", { class: LEVELS[level] }, el("span", { "aria-hidden": "true" }, `${shape(level)} `), reason)));
  }
}

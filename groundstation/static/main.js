// Puts the page together: pictures in, one drawing per animation frame out.

import { Actions } from "./actions.js";
import { Alarm } from "./alarm.js";
import { byId, setAttribute, setClass, setText } from "./dom.js";
import { showFleet } from "./fleet.js";
import { Keys } from "./keys.js";
import { Live } from "./live.js";
import { showLog } from "./log.js";
import { Maps } from "./map.js";
import { Model } from "./model.js";
import { Panel } from "./panel.js";
import { age } from "./units.js";
import { Views } from "./views.js";

const THEME = "sekisho-theme";
const DRAW_AT_LEAST = 250; // ms: ages grow without pictures too

let asked = false;
let drawn = 0;
const model = new Model();
const maps = new Maps(model);
const live = new Live(model, onChange);
const actions = new Actions(model, live, maps);
const panel = new Panel(byId("panel"), actions);
const alarm = new Alarm(select);
const views = new Views({ model, live, maps, select });

function select(name) {
  if (!model.drones.has(name)) return;
  actions.close();
  maps.unmark();
  model.selected = name;
  maps.centre();
  draw();
}

function onChange(what) {
  if (what === "open") {
    actions.build();
    maps.setTiles(model.maps);
  }
  if (!asked) {
    asked = true;
    requestAnimationFrame(draw);
  }
}

function showGateway() {
  const silence = model.silence;
  const lost = live.state !== "open" || silence > 1500;
  const words = {
    open: lost ? `Gateway silent for ${age(silence)}` : "Gateway connected",
    connecting: "Connecting to the gateway",
    lost: `No gateway${silence == null ? "" : ` for ${age(silence)}`}: trying again`,
    refused: "Not let in: open the address that `sekisho console` prints",
  };
  const gateway = byId("gateway");
  setText(gateway, words[live.state]);
  setClass(gateway, "alarm", lost && live.state !== "connecting");
  const others = model.present.filter((name) => name !== model.name);
  const here = model.present.includes(model.name);
  setText(byId("who"), model.name
    ? `${model.name}${model.role === "viewer" ? ", only watches" : here ? ", present" : ", not present"}${others.length ? `; also ${others.join(", ")}` : ""}`
    : "");
  setText(byId("clock"), `${new Date().toISOString().slice(11, 19)} UTC`);
}

function draw() {
  asked = false;
  drawn = performance.now();
  showGateway();
  if (model.pictureNow == null) return;
  showFleet(model, select);
  panel.show(model);
  showLog(model);
  maps.show(model);
  alarm.show(model);
  actions.show();
  views.show(model);
}

function setTheme(theme) {
  setAttribute(document.documentElement, "data-theme", theme);
  localStorage.setItem(THEME, theme);
  byId("theme").value = theme;
  maps.setTheme();
}

byId("theme").addEventListener("change", (event) => setTheme(event.target.value));
setTheme(localStorage.getItem(THEME) ?? (matchMedia("(prefers-color-scheme: light)").matches ? "day" : "dark"));

const choose = (name) => () => actions.choose(name);
new Keys({
  select: (index) => select([...model.drones.keys()][index]),
  P: choose("pause"), R: choose("rtl"), L: choose("land"), A: choose("arm"), T: choose("takeoff"),
  N: choose("mission"), G: choose("goto"), H: choose("altitude"), V: choose("speed"), M: choose("mode"),
  D: choose("disarm"), E: () => actions.cover?.click(), K: () => maps.markMiddle(), C: () => maps.centre(),
  S: () => alarm.silenceNow(), Escape: () => actions.close(),
});

// Leaving takes the operator's presence away from whatever flies.
addEventListener("beforeunload", (event) => {
  if (model.role === "operator" && [...model.drones.values()].some((drone) => drone.timers[1] != null)) event.preventDefault();
});

setInterval(() => performance.now() - drawn >= DRAW_AT_LEAST && draw(), DRAW_AT_LEAST);

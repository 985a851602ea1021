// Altitude and battery over the last ten minutes, with a text for those who cannot see the plot.

import { el, setAttribute } from "./dom.js";
import { number } from "./units.js";

const STEP = 1000;
const LENGTH = 600;
const HEIGHT = 110;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Trend {
  constructor() {
    this.root = el("div", { class: "trend", role: "img", "aria-label": "No values yet" });
    this.samples = new Map(); // by drone: times, altitudes, battery
    this.plot = null;
    this.theme = null;
    this.drawn = 0;
    new ResizeObserver(() => this.plot?.setSize({ width: this.root.clientWidth, height: HEIGHT })).observe(this.root);
  }

  #sample(drone) {
    if (!this.samples.has(drone.name)) this.samples.set(drone.name, [[], [], []]);
    const [times, altitudes, battery] = this.samples.get(drone.name);
    const now = Date.now();
    if (times.length && now / 1000 - times.at(-1) < STEP / 1000) return;
    times.push(now / 1000);
    altitudes.push(drone.isStale("position") ? null : drone.get("position", "relative_alt"));
    battery.push(drone.isStale("system") ? null : drone.get("system", "battery_remaining"));
    if (times.length > LENGTH) for (const list of [times, altitudes, battery]) list.shift();
  }

  show(selected) {
    for (const drone of selected.model.drones.values()) this.#sample(drone);
    const theme = document.documentElement.dataset.theme;
    if (!this.plot || theme !== this.theme) this.#draw(theme);
    const now = performance.now();
    if (now - this.drawn < STEP) return;
    this.drawn = now;
    const data = this.samples.get(selected.name);
    this.plot.setData(data);
    setAttribute(this.root, "aria-label",
      `Plot of the last ten minutes: altitude now ${number(data[1].at(-1), 1)} m, highest ${number(Math.max(...data[1].map((v) => v ?? 0)), 1)} m; battery ${number(data[2].at(-1))} %`);
  }

  #draw(theme) {
    this.theme = theme;
    this.plot?.destroy();
    const axis = { stroke: colour("--ink-2"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px sans-serif" };
    const minutes = (_, ticks) => ticks.map((t) => new Date(1000 * t).toISOString().slice(11, 16));
    this.plot = new window.uPlot({
      width: this.root.clientWidth || 300,
      height: HEIGHT,
      cursor: { show: false },
      legend: { show: false },
      scales: { m: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(10, high ?? 0)] }, percent: { range: [0, 100] } },
      axes: [
        { ...axis, size: 18, values: minutes },
        { ...axis, scale: "m", size: 34, values: (_, ticks) => ticks.map((t) => `${t}`) },
        { ...axis, scale: "percent", side: 1, size: 38, grid: { show: false }, values: (_, ticks) => ticks.map((t) => `${t}%`) },
      ],
      series: [
        {},
        { scale: "m", stroke: colour("--accent"), width: 2, label: "Altitude" },
        { scale: "percent", stroke: colour("--ink-2"), width: 1.5, dash: [5, 4], label: "Battery" },
      ],
    }, [[], [], []], this.root);
  }
}

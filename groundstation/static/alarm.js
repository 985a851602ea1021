// The alarm that cannot be missed: a bar over the whole page and a sound, for every drone at once.
// Silencing stops the sound for what is alarming now; the bar stays as long as its cause does, and
// an attack that is over leaves a note until somebody has read it.

import { byId, el, setText } from "./dom.js";
import { wordOf } from "./level.js";
import { age } from "./units.js";

const TONES = [880, 660];
const EVERY = 1200;

export class Alarm {
  #sounding = true;
  #silenced = new Set();
  #audio = null;
  #next = 0;
  #past = new Map(); // by drone: what the last attack was, and when it was last seen
  #shown = "";

  constructor(onSelect) {
    this.onSelect = onSelect;
    this.list = el("ul");
    this.silence = el("button", { type: "button", id: "silence", onclick: () => this.silenceNow() }, "Silence");
    byId("alarm").append(this.list, this.silence);
    byId("sound").addEventListener("click", () => this.toggle());
    // Browsers let a page sound only once somebody has touched it.
    for (const kind of ["pointerdown", "keydown"])
      addEventListener(kind, () => { this.#audio ??= new AudioContext(); this.#audio.resume(); }, { once: true });
  }

  toggle() {
    this.#sounding = !this.#sounding;
    byId("sound").setAttribute("aria-pressed", String(this.#sounding));
    setText(byId("sound"), this.#sounding ? "Sound on" : "Sound off");
  }

  silenceNow() {
    for (const { key } of this.current) this.#silenced.add(key);
  }

  show(model) {
    this.current = [];
    for (const drone of model.drones.values()) {
      const [word, level, reasons] = wordOf(drone);
      if (level === 3) {
        const text = reasons.filter(([l]) => l === 3).map(([, reason]) => reason).join(" · ");
        this.current.push({ key: `${drone.name} ${word}`, name: drone.name, word, text });
      }
      if (drone.link?.attack) this.#past.set(drone.name, { text: drone.link.attack, seen: model.now() });
    }
    const keys = new Set(this.current.map(({ key }) => key));
    for (const key of this.#silenced) if (!keys.has(key)) this.#silenced.delete(key);
    const over = [...this.#past].filter(([name, { seen }]) => model.now() - seen > 1000 && model.drones.has(name))
      .map(([name, { text, seen }]) => ({ name, text: `${text}. Over for ${age(model.now() - seen)}` }));
    this.#draw(over);
    this.#sound();
  }

  #draw(over) {
    const bar = byId("alarm");
    const key = JSON.stringify([this.current.map(({ key: k }) => k), over.map(({ name }) => name)]);
    if (key !== this.#shown) {
      this.#shown = key;
      setText(byId("announce"), this.current.map(({ name, word, text }) => `${name}: ${word}. ${text}`).join(" "));
      this.list.replaceChildren(
        ...this.current.map(({ name, word }) => el("li", {},
          el("button", { type: "button", class: "goto", onclick: () => this.onSelect(name) }, `${name}: ${word}`), el("span", { class: "why" }))),
        ...over.map(({ name }) => el("li", { class: "over" },
          el("span", { class: "goto" }, `${name}: attack over`), el("span", { class: "why" }),
          el("button", { type: "button", onclick: () => this.#past.delete(name) }, "Dismiss"))));
    }
    const texts = [...this.current, ...over];
    for (const [index, node] of this.list.querySelectorAll(".why").entries()) setText(node, texts[index].text);
    bar.classList.toggle("active", this.current.length > 0);
    this.silence.hidden = this.current.length === 0;
    bar.hidden = texts.length === 0;
  }

  #sound() {
    const loud = this.#sounding && this.current.some(({ key }) => !this.#silenced.has(key));
    const now = performance.now();
    if (!loud || !this.#audio || this.#audio.state !== "running" || now < this.#next) return;
    this.#next = now + EVERY;
    for (const [index, frequency] of TONES.entries()) {
      const at = this.#audio.currentTime + index * 0.25;
      const [tone, gain] = [this.#audio.createOscillator(), this.#audio.createGain()];
      tone.frequency.value = frequency;
      gain.gain.setValueAtTime(0.2, at);
      gain.gain.exponentialRampToValueAtTime(0.001, at + 0.22);
      tone.connect(gain).connect(this.#audio.destination);
      tone.start(at);
      tone.stop(at + 0.23);
    }
  }
}

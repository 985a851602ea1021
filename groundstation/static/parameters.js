// The parameters of the selected drone: searched, edited as a draft, written after a look at what
// would change, kept in files. Only the rows that can be seen exist, so 1,400 cost what 30 cost.

import { el, setAttribute, setClass, setHidden, setText } from "./dom.js";
import { age } from "./units.js";

const ASK_EVERY = 1000; // ms: a table that changes all the time is fetched once a second
const BEYOND = 6; // rows drawn above and below what can be seen
const MAX_FILE = 400000; // characters; the gateway takes half a million bytes in all
const PAGE_KEYS = { ArrowDown: 1, ArrowUp: -1 };
const FILTERS = { all: "All", changed: "Changed from default", draft: "In the draft" };
const ENDED = { written: "good", refused: "alarm", "not sent": "alarm" };

let notes = null; // what parameters mean, by name: { text, unit, range }, as far as it is known

// What is known of a parameter, as words: its unit and range, or nothing.
function limits({ unit, range }) {
  return range ? `${range[0]} to ${range[1]}${unit ? ` ${unit}` : ""}` : unit ? `in ${unit}` : "";
}

const drafts = new Map(); // by drone: name -> value as it would be written. They outlive the view.
const draftOf = (drone) => drafts.get(drone) ?? drafts.set(drone, new Map()).get(drone);

// The shortest text that is this four-byte float again.
export function show(value) {
  if (value == null) return "–";
  for (let digits = 6; digits < 10; digits++) {
    const text = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(text)) === Math.fround(value)) return text;
  }
  return String(value);
}

export function open(place, { model, live }) {
  return new ParametersView(place, model, live);
}

class ParametersView {
  #drone = null;
  #rows = []; // [name, value, kind, default] in the order of names
  #version = -1;
  #asked = -Infinity;
  #found = []; // indices into #rows
  #active = 0;
  #editing = null; // name
  #first = -1;
  #key = "";

  constructor(place, model, live) {
    this.model = model;
    this.live = live;
    this.#build(place);
    this.#learn();
    live.onView.parameters = (reply) => this.#told(reply);
    this.show(model);
  }

  close() {
    delete this.live.onView.parameters;
    this.watch.disconnect();
  }

  async #learn() {
    notes ??= await (await fetch("/parameter-notes.json")).json();
    this.#first = -1;
    this.#key = "";
    this.#draw();
  }

  #note(name) {
    return notes?.[name] ?? {};
  }

  show(model) {
    const drone = model.drone;
    if (drone?.name !== this.#drone) this.#turnTo(drone?.name ?? null);
    const state = drone?.parameters;
    if (!state) return;
    if (state.version !== this.#version && performance.now() - this.#asked > ASK_EVERY) this.#fetch();
    const operator = model.role === "operator";
    const reading = state.reading;
    setHidden(this.progress, !reading);
    if (reading) {
      setAttribute(this.progress, "max", reading[1] || 1);
      this.progress.value = reading[0];
    }
    setText(this.state, reading
      ? (reading[1] ? `Reading: ${reading[0]} of ${reading[1]} ${reading[2]}` : "Reading: asking")
      : state.read_ms == null ? state.said || "Not read yet."
      : `${state.count} parameters, read ${age(model.now() - state.read_ms)} ago ${state.said}`);
    setHidden(this.readButton, !operator);
    setHidden(this.importButton, !operator || !state.count);
    setHidden(this.exports, !state.count);
    setAttribute(this.readButton, "aria-disabled", reading ? "true" : null);
    setText(this.empty, reading ? "The list is shown once all of it is here."
      : state.count ? "Nothing matches." : operator ? "Nothing has been read from this drone yet."
      : "Nothing has been read from this drone yet. An operator's page can read it.");
    this.#drawDraft(state, operator);
  }

  #build(place) {
    const button = (text, onclick, more = {}) => el("button", { type: "button", onclick, ...more }, text);
    this.readButton = button("Read from the drone", () => this.#ask({ do: "read" }));
    this.progress = el("progress", { "aria-label": "Reading", hidden: true });
    this.state = el("p", { class: "p-state", role: "status" });
    this.search = el("input", { type: "search", placeholder: "Name", "aria-label": "Search by name", autocomplete: "off", spellcheck: "false", oninput: () => this.#filter() });
    this.search.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowDown" && event.key !== "Enter") return;
      event.preventDefault();
      this.grid.focus();
    });
    this.filter = el("select", { "aria-label": "Show", onchange: () => this.#filter() },
      ...Object.entries(FILTERS).map(([value, text]) => el("option", { value }, text)));
    this.count = el("span", { class: "p-count", role: "status" });
    this.file = el("input", { type: "file", class: "unseen", tabindex: "-1", "aria-label": "Parameter file", accept: ".params,.param,.parm,.txt", onchange: () => this.#import() });
    this.importButton = button("Import a file …", () => this.file.click());
    this.exports = el("span", { class: "row" },
      button("Export for QGroundControl", () => this.#ask({ do: "export", form: "qgroundcontrol" }, "params")),
      button("Export for Mission Planner", () => this.#ask({ do: "export", form: "missionplanner" }, "param")));
    this.body = el("div", { class: "p-body", role: "rowgroup" });
    this.grid = el("div", { class: "p-grid", role: "grid", tabindex: "0", "aria-label": "Parameters", "aria-describedby": "p-how" },
      el("div", { role: "rowgroup", class: "p-head" }, el("div", { role: "row", class: "p-row", "aria-rowindex": "1" },
        ...["Name", "Value", "Unit", "Default", "Kind"].map((text) => el("span", { role: "columnheader" }, text)))),
      this.body);
    this.grid.addEventListener("scroll", () => this.#draw());
    this.grid.addEventListener("keydown", (event) => this.#onKey(event));
    this.empty = el("p", { class: "p-empty" });
    this.about = el("p", { id: "p-about", class: "p-about" });
    this.fault = el("p", { class: "p-fault", role: "alert", hidden: true });
    this.list = el("ol", { class: "p-draft" });
    this.writeButton = button("Write", () => this.#write(), { class: "p-write" });
    this.discardButton = button("Discard the draft", () => this.#discard());
    this.stopButton = button("Stop", () => this.#ask({ do: "stop" }));
    this.undoButton = button("Save what it was before", () => this.#saveOld());
    this.hint = el("p", { class: "p-hint" });
    const side = el("section", { class: "p-side", "aria-label": "Draft" }, el("h2", {}, "Draft"), this.fault, this.hint, this.list,
      el("div", { class: "row" }, this.writeButton, this.stopButton, this.discardButton, this.undoButton));
    place.replaceChildren(el("div", { class: "parameters" },
      el("div", { class: "p-tools", role: "group", "aria-label": "Reading, searching, files" },
        this.readButton, this.progress, this.state, this.importButton, this.file, this.exports,
        el("span", { class: "p-break" }), this.search, this.filter, this.count),
      el("div", { class: "p-table" }, this.grid, this.empty, this.about,
        el("p", { id: "p-how", class: "p-hint" }, "Arrows move, Enter edits, Escape leaves, Delete takes a row out of the draft.")),
      side));
    this.watch = new ResizeObserver(() => this.#draw());
    this.watch.observe(this.grid);
  }

  #turnTo(name) {
    this.#drone = name;
    this.#rows = [];
    this.#version = -1;
    this.#asked = -Infinity;
    this.#editing = null;
    this.#active = 0;
    this.#key = "";
    this.#say("");
    this.#filter();
  }

  #fetch() {
    this.#asked = performance.now();
    this.#ask({ do: "show" });
  }

  async #ask(message, suffix) {
    const drone = this.#drone;
    if (drone == null) return "";
    this.suffix = suffix ?? this.suffix;
    if (message.do !== "show") this.#say("");
    const why = await this.live.ask({ type: "parameters", drone, ...message });
    // If nothing hindered it, what came of it may have been said already.
    if (why && message.do !== "show" && drone === this.#drone) this.#say(why);
    return why;
  }

  #told(reply) {
    if (reply.drone !== this.#drone) return;
    if (reply.rows) {
      this.#rows = reply.rows;
      this.#version = reply.version;
      const draft = draftOf(this.#drone);
      for (const [name, value] of this.#rows) if (draft.get(name) === value) draft.delete(name);
      this.#filter();
    } else if (reply.export != null) this.#save(reply.export, `${this.#drone}.${this.suffix}`);
    else if (reply.file) {
      const draft = draftOf(this.#drone);
      for (const [name, value] of Object.entries(reply.file.changes)) draft.set(name, value);
      const count = Object.keys(reply.file.changes).length;
      this.#say(`${count} in the draft, ${reply.file.same} are so already.${reply.file.faults.length ? ` Left out:\n${reply.file.faults.join("\n")}` : ""}`);
      this.filter.value = count ? "draft" : this.filter.value;
      this.#filter();
    }
  }

  #say(text) {
    setText(this.fault, text);
    setHidden(this.fault, !text);
  }

  #filter() {
    const wanted = this.search.value.trim().toUpperCase();
    const draft = draftOf(this.#drone);
    const kept = this.#rows[this.#found[this.#active]]?.[0];
    this.#found = [];
    this.#rows.forEach(([name, value, , preset], index) => {
      if (!name.includes(wanted)) return;
      if (this.filter.value === "changed" && (preset == null || preset === value)) return;
      if (this.filter.value === "draft" && !draft.has(name)) return;
      this.#found.push(index);
    });
    const place = this.#found.findIndex((index) => this.#rows[index][0] === kept);
    this.#active = Math.max(0, place);
    setText(this.count, this.#rows.length ? `${this.#found.length} of ${this.#rows.length}` : "");
    setHidden(this.empty, this.#found.length > 0);
    setAttribute(this.grid, "aria-rowcount", this.#found.length + 1);
    this.#first = -1;
    this.#draw();
  }

  // Draw the rows that can be seen.
  #draw() {
    const height = this.#rowHeight();
    const first = Math.max(0, Math.floor(this.grid.scrollTop / height) - BEYOND);
    const count = Math.ceil(this.grid.clientHeight / height) + 2 * BEYOND;
    this.body.style.height = `${this.#found.length * height}px`;
    const hasFocus = this.body.contains(document.activeElement);
    if (first === this.#first && this.#editing && hasFocus) return;
    this.#first = first;
    const typing = this.body.querySelector("input");
    const [typed, from, to] = typing ? [typing.value, typing.selectionStart, typing.selectionEnd] : [];
    this.body.replaceChildren(...this.#found.slice(first, first + count).map((index, offset) => this.#row(index, first + offset, height)));
    this.#tell(this.#rows[this.#found[this.#active]]?.[0]);
    setAttribute(this.grid, "aria-activedescendant", document.getElementById(`p-row-${this.#active}`) ? `p-row-${this.#active}` : null);
    const input = this.body.querySelector("input");
    if (!input) return;
    input.focus();
    if (typing?.ariaLabel !== input.ariaLabel) return;
    input.value = typed; // news of another value takes nothing that is half typed
    input.setSelectionRange(from, to);
  }

  // What the active row is about.
  #tell(name) {
    const note = this.#note(name);
    setText(this.about, name ? [`${name}: ${note.text ?? "not described here"}.`, limits(note)].join(" ") : "");
  }

  #rowHeight() {
    return 2 * Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
  }

  #row(index, place, height) {
    const [name, value, kind, preset] = this.#rows[index];
    const drafted = draftOf(this.#drone).get(name);
    const isActive = place === this.#active;
    const shown = this.#editing === name
      ? el("input", { type: "text", inputmode: "decimal", value: show(drafted ?? value), "aria-label": `Value of ${name}`, "aria-describedby": "p-about", autocomplete: "off", spellcheck: "false" })
      : drafted === undefined ? show(value) : `${show(value)} → ${show(drafted)}`;
    const row = el("div", { role: "row", id: `p-row-${place}`, class: "p-row", "aria-rowindex": place + 2, "aria-selected": isActive ? "true" : "false",
      onclick: () => this.#edit(place) },
      el("span", { role: "gridcell", class: "p-name" }, name),
      el("span", { role: "gridcell", class: drafted === undefined ? "p-value" : "p-value drafted" }, shown),
      el("span", { role: "gridcell", class: "p-unit" }, this.#note(name).unit ?? ""),
      el("span", { role: "gridcell", class: preset != null && preset !== value ? "p-preset differs" : "p-preset" }, show(preset)),
      el("span", { role: "gridcell", class: "p-kind" }, kind));
    setClass(row, "active", isActive);
    row.style.transform = `translateY(${place * height}px)`;
    return row;
  }

  #moveTo(place) {
    if (!this.#found.length) return;
    this.#active = Math.min(Math.max(0, place), this.#found.length - 1);
    const height = this.#rowHeight();
    const top = this.#active * height;
    const room = this.grid.clientHeight - 2 * height; // below the head, which sticks
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (top > this.grid.scrollTop + room) this.grid.scrollTop = top - room;
    this.#first = -1;
    this.#draw();
  }

  #edit(place) {
    if (this.model.role !== "operator" || !this.#found.length) return;
    if (this.#editing === this.#rows[this.#found[place]][0]) return;
    this.#editing = this.#rows[this.#found[place]][0];
    this.#moveTo(place);
    this.body.querySelector("input")?.select();
  }

  #onKey(event) {
    const isEditing = event.target instanceof HTMLInputElement;
    const page = Math.max(1, Math.floor(this.grid.clientHeight / this.#rowHeight()) - 2);
    const steps = { ...PAGE_KEYS, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key === "Enter" || (event.key === "Tab" && isEditing)) {
      if (isEditing) {
        if (!this.#keep(event.target)) {
          event.preventDefault();
          return;
        }
        if (event.key === "Enter") this.#moveTo(this.#active + 1);
      } else this.#edit(this.#active);
    } else if (event.key === "Escape" && isEditing) this.#leave();
    else if (event.key === "Delete" && !isEditing) {
      draftOf(this.#drone).delete(this.#rows[this.#found[this.#active]]?.[0]);
      this.#filter();
    } else if (event.key in steps && (!isEditing || event.key in PAGE_KEYS)) {
      if (isEditing && !this.#keep(event.target)) {
        event.preventDefault();
        return;
      }
      this.#moveTo(this.#active + steps[event.key]);
    } else return;
    if (event.key !== "Tab") event.preventDefault();
    event.stopPropagation();
  }

  #leave() {
    this.#editing = null;
    this.#first = -1;
    this.#draw();
    this.grid.focus();
  }

  // Take what has been typed into the draft; false if it is no number.
  #keep(input) {
    const name = this.#editing;
    const text = input.value.trim().replace(",", ".");
    const value = Number(text);
    if (text === "" || !Number.isFinite(value)) {
      this.#say(`${name}: ${input.value.trim() || "nothing"} is no number`);
      input.setAttribute("aria-invalid", "true");
      return false;
    }
    this.#say("");
    const row = this.#rows.find(([known]) => known === name);
    const draft = draftOf(this.#drone);
    if (Math.fround(value) === row[1]) draft.delete(name);
    else draft.set(name, value);
    this.#leave();
    return true;
  }

  // What would be written, or what is being written and what became of it.
  #drawDraft(state, operator) {
    const draft = draftOf(this.#drone);
    const writes = state.writes;
    const key = JSON.stringify([this.#drone, this.#version, [...draft], writes, state.writing, operator]);
    if (key === this.#key) return;
    this.#key = key;
    const values = new Map(this.#rows.map((row) => [row[0], row[1]]));
    const line = (level, name, from, to, note, remove) => el("li", { class: level },
      el("span", { class: "p-name" }, name), el("span", { class: "p-change" }, `${show(from)} → ${show(to)}`),
      remove, note && el("span", { class: "p-note" }, note));
    const outside = (name, value) => {
      const { range } = this.#note(name);
      return range && (value < range[0] || value > range[1]) ? `outside what is documented: ${limits(this.#note(name))}` : "";
    };
    const drafted = [...draft].map(([name, value]) => line(outside(name, value) ? "caution" : "quiet", name, values.get(name), value, outside(name, value),
      state.writing ? null : el("button", { type: "button", "aria-label": `Take ${name} out of the draft`, onclick: () => { draft.delete(name); this.#filter(); this.show(this.model); } }, "✕")));
    const done = writes.map(([name, from, to, outcome, why]) => line(ENDED[outcome] ?? "caution", name, from, to, why ? `${outcome}: ${why}` : outcome));
    this.list.replaceChildren(...(state.writing || !draft.size ? done : drafted));
    setText(this.hint, state.writing ? "Each is read back before the next is sent. What the drone asks back appears below; answer it there."
      : draft.size ? `${this.#drone} would get ${draft.size === 1 ? "this value" : `these ${draft.size} values`}. Nothing has been sent.`
      : writes.length ? "What became of the last writing:" : operator ? (state.count ? "Edit a value, or import a file: it waits here until you write it." : "What you change waits here until you write it.") : "This page only watches.");
    setText(this.writeButton, `Write ${draft.size} to ${this.#drone}`);
    setHidden(this.writeButton, !operator || state.writing || !draft.size);
    setHidden(this.discardButton, !operator || state.writing || !draft.size);
    setHidden(this.stopButton, !operator || !state.writing);
    setHidden(this.undoButton, state.writing || draft.size > 0 || !writes.some((write) => write[3] === "written"));
  }

  async #write() {
    const drone = this.#drone;
    const draft = draftOf(drone);
    const changes = Object.fromEntries(draft);
    const why = await this.#ask({ do: "write", changes });
    if (why) return;
    // What is refused stays to be seen in the result; the draft is the operator's to make again.
    for (const name of Object.keys(changes)) draft.delete(name);
    this.#filter();
  }

  #discard() {
    draftOf(this.#drone).clear();
    this.#say("");
    this.#filter();
    this.show(this.model);
  }

  #saveOld() {
    const writes = this.model.drone.parameters.writes.filter((write) => write[3] === "written");
    const lines = writes.map(([name, from]) => `${name},${show(from)}`);
    this.#save([`#${this.#drone}: before ${writes.length} changes`, ...lines, ""].join("\n"), `${this.#drone}-before.param`);
  }

  #save(text, name) {
    const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    const link = el("a", { href: url, download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }

  async #import() {
    const file = this.file.files[0];
    this.file.value = "";
    if (!file) return;
    if (file.size > MAX_FILE) {
      this.#say(`${file.name}: ${file.size} bytes; allowed: ${MAX_FILE}`);
      return;
    }
    const why = await this.#ask({ do: "compare", text: await file.text() });
    if (why) this.#say(`${file.name}: nothing of it has been taken.\n${why}`);
  }
}

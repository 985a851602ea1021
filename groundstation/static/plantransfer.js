// Draft and drone side by side, what is sent of it, and what was found aboard afterwards. It stands
// over the map and is not modal: pausing must be possible whatever is being compared.

import { el, setAttribute, setClass, setHidden, setText } from "./dom.js";
import { age } from "./units.js";

const KINDS = [["mission", "Mission"], ["fence", "Fence"], ["rally points", "Rally points"]];
const FIELD = { mission: "mission", fence: "fence", "rally points": "rally" };
const SOON = 2000; // ms
const VERDICT = {
  same: ["good", "aboard is exactly what was sent"],
  differs: ["alarm", "aboard is NOT what was sent"],
  unknown: ["alarm", "could not be read back: what is aboard is NOT KNOWN"],
};

export class PlanTransfer {
  #chosen = new Set();
  #touched = false;
  #asked = false; // to be read, and not under way yet: nothing can be sent for a moment

  constructor(plan) {
    this.plan = plan;
    this.progress = el("progress", { max: 1, "aria-label": "Transfer" });
    this.says = el("p", { role: "status" });
    this.busy = el("div", { class: "row plan-progress", hidden: true }, this.progress, this.says,
      el("button", { type: "button", "data-key": "cancel", onclick: () => this.plan.ask({ type: "cancel" }) }, "Cancel the transfer"));
    this.outcomes = el("div", { class: "plan-outcomes" });
    this.tables = el("div", { class: "plan-tables", tabindex: "0", role: "group", "aria-label": "Comparison" });
    this.send = el("button", { type: "button", "data-key": "send", class: "plan-primary", onclick: () => this.#send() });
    this.read = el("button", { type: "button", "data-key": "read", onclick: () => this.plan.ask({ type: "read" }) }, "Read again");
    this.why = el("p", { class: "plan-hint" });
    this.heading = el("h2", {});
    this.root = el("section", { class: "plan-transfer", role: "dialog", "aria-label": "Draft and drone", tabindex: "-1", hidden: true },
      el("div", { class: "plan-transfer-head" }, this.heading, el("button", { type: "button", onclick: () => this.close() }, "Close (Esc)")),
      this.busy, this.outcomes, this.tables, el("div", { class: "row plan-send" }, this.send, this.read, this.why));
  }

  get isOpen() {
    return !this.root.hidden;
  }

  async open() {
    this.returnTo = document.activeElement;
    this.#touched = false;
    this.opened = this.plan.now();
    this.#asked = true;
    setHidden(this.root, false);
    this.show();
    this.root.focus();
    const heard = () => {
      this.#asked = false;
      this.show();
    };
    if (await this.plan.ask({ type: "read" })) heard();
    else setTimeout(heard, SOON); // a reading so short that it is never seen
  }

  close() {
    if (!this.isOpen) return;
    setHidden(this.root, true);
    this.returnTo?.focus();
  }

  // Buttons stay the same nodes, and tables as long as they say the same: what is drawn anew under a
  // finger takes no click.
  show() {
    if (!this.isOpen) return;
    const { aboard, transfer, draft } = this.plan.parts;
    const count = { mission: draft.items.length, fence: draft.zones.length, "rally points": draft.rally.length };
    if (!this.#touched) this.#chosen = new Set(KINDS.map(([name]) => name).filter((name) => aboard[name].known && !aboard[name].same && (count[name] || aboard[name].count)));
    setText(this.heading, `Draft and ${this.plan.name}`);
    this.#showProgress(transfer);
    this.tick();
    const shows = JSON.stringify([...this.#chosen, transfer.blocked]);
    if (aboard !== this.shownAboard || shows !== this.shows) {
      [this.shownAboard, this.shows] = [aboard, shows];
      const key = this.tables.contains(document.activeElement) ? document.activeElement.dataset.key : null;
      const scroll = this.tables.scrollTop;
      this.tables.replaceChildren(...KINDS.map(([name, label]) => this.#kind(name, label, aboard[name], transfer)));
      this.tables.scrollTop = scroll;
      if (key) this.tables.querySelector(`[data-key="${key}"]`)?.focus();
    }
    this.#showSending(transfer);
  }

  #showProgress({ activity, kind, done, total, busy }) {
    setHidden(this.busy, !busy);
    setText(this.says, activity ? `${activity[0].toUpperCase()}${activity.slice(1)}: ${kind}, ${done} of ${total || "?"}` : "Waiting");
    setAttribute(this.progress, "max", total || 1);
    setAttribute(this.progress, "value", total ? done : null);
  }

  // What has been sent since this was opened, and how long ago.
  tick() {
    if (!this.isOpen || !this.plan.parts) return;
    const since = this.plan.parts.transfer.outcomes.filter((outcome) => outcome.finished_ms >= this.opened);
    for (const [n, outcome] of since.entries()) {
      const node = this.outcomes.children[n] ?? this.outcomes.appendChild(el("p", {}, el("span", { role: "status" }), el("span", { class: "plan-age" })));
      const [level, text] = this.#outcome(outcome);
      node.className = `plan-outcome ${level}`;
      setText(node.firstChild, text);
      setText(node.lastChild, `, ${age(this.plan.now() - outcome.finished_ms)} ago`);
    }
    while (this.outcomes.children.length > since.length) this.outcomes.lastChild.remove();
  }

  #outcome({ kind, why, verdict, rows }) {
    const [level, text] = VERDICT[verdict];
    const same = rows.filter((row) => row[2]).length;
    const counted = rows.length ? ` (${same} of ${rows.length} the same)` : "";
    return [level, `${kind[0].toUpperCase()}${kind.slice(1)}${why ? `: sending broke off, ${why};` : " sent:"} ${text}${counted}`];
  }

  #kind(name, label, state, { blocked }) {
    const box = el("input", { type: "checkbox", "data-key": `choose-${name}`, checked: this.#chosen.has(name), disabled: !state.known || Boolean(blocked[name]),
      onchange: (event) => {
        this.#touched = true;
        if (event.target.checked) this.#chosen.add(name);
        else this.#chosen.delete(name);
        this.show();
      } });
    const says = !state.known ? (state.failed ? "could not be read" : "not read yet") : state.same ? "the same aboard" : "differs from what is aboard";
    return el("section", { class: "plan-kind" },
      el("label", { class: "plan-field check" }, box, el("span", {}, `Send ${label.toLowerCase()}: ${says}${blocked[name] ? `. ${blocked[name]}` : ""}`)),
      state.known && state.rows?.length ? this.#table(label, state.rows) : null);
  }

  #table(label, rows) {
    const cell = (side) => el("td", {}, ...(side ? [el("b", {}, `${side[0]} `), side[1]] : ["–"]));
    const row = ([ours, theirs, same]) => {
      const word = same ? "same" : ours && theirs ? "changed" : ours ? "new" : "removed";
      return el("tr", { class: word }, el("th", { scope: "row" }, { same: "=", changed: "≠ changed", new: "+ new", removed: "− removed" }[word]), cell(ours), cell(theirs));
    };
    return el("table", {}, el("caption", { class: "unseen" }, label),
      el("thead", {}, el("tr", {}, ...["", "Draft", `Aboard ${this.plan.name}`].map((text) => el("th", { scope: "col" }, text || el("span", { class: "unseen" }, "Difference"))))),
      el("tbody", {}, ...rows.map(row)));
  }

  #allowed({ blocked }) {
    return KINDS.map(([name]) => name).filter((name) => this.#chosen.has(name) && !blocked[name]);
  }

  #showSending(transfer) {
    const { blocked } = transfer;
    if (transfer.busy) this.#asked = false;
    const busy = transfer.busy || this.#asked;
    const chosen = this.#allowed(transfer);
    const wrong = this.plan.parts.checks.findings.find(([level, kind]) => level === "error" && chosen.includes(KINDS[kind][0]));
    const why = busy ? "A transfer is under way" : blocked.read || (chosen.length ? (wrong ? `Not to be sent: ${wrong[3]}` : "") : "Nothing is chosen");
    const watching = this.plan.mayEdit ? "" : "This page only watches";
    this.send.disabled = Boolean(why || watching);
    this.read.disabled = Boolean(busy || blocked.read || watching);
    setText(this.send, chosen.length ? `Send ${chosen.join(", ")} to ${this.plan.name}` : `Send to ${this.plan.name}`);
    setText(this.why, watching || why);
    setClass(this.why, "alarm", Boolean(wrong) && !busy);
  }

  #send() {
    const { aboard, transfer } = this.plan.parts;
    this.plan.ask({ type: "send", ...Object.fromEntries(this.#allowed(transfer).map((name) => [FIELD[name], aboard[name].digest])) });
  }
}

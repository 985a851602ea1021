// Draft and drone side by side, what is sent of it, and what was found aboard afterwards. It stands
// over the map and is not modal: pausing must be possible whatever is being compared.

import { el, setHidden } from "./dom.js";
import { age } from "./units.js";

const KINDS = [["mission", "Mission"], ["fence", "Fence"], ["rally points", "Rally points"]];
const FIELD = { mission: "mission", fence: "fence", "rally points": "rally" };
const VERDICT = {
  same: ["good", "aboard is exactly what was sent"],
  differs: ["alarm", "aboard is NOT what was sent"],
  unknown: ["alarm", "could not be read back: what is aboard is NOT KNOWN"],
};

export class PlanTransfer {
  #chosen = new Set();
  #touched = false;

  constructor(plan) {
    this.plan = plan;
    this.root = el("section", { class: "plan-transfer", role: "dialog", "aria-label": "Draft and drone", tabindex: "-1", hidden: true });
  }

  get isOpen() {
    return !this.root.hidden;
  }

  open() {
    this.returnTo = document.activeElement;
    this.#touched = false;
    setHidden(this.root, false);
    this.show();
    this.root.focus();
    this.plan.ask({ type: "read" });
  }

  close() {
    if (!this.isOpen) return;
    setHidden(this.root, true);
    this.returnTo?.focus();
  }

  show() {
    if (!this.isOpen) return;
    const { aboard, transfer, draft } = this.plan.parts;
    const key = this.root.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const scroll = this.root.querySelector(".plan-tables")?.scrollTop ?? 0;
    const count = { mission: draft.items.length, fence: draft.zones.length, "rally points": draft.rally.length };
    if (!this.#touched) this.#chosen = new Set(KINDS.map(([name]) => name).filter((name) => aboard[name].known && !aboard[name].same && (count[name] || aboard[name].count)));
    this.root.replaceChildren(...[
      el("div", { class: "plan-transfer-head" }, el("h2", {}, `Draft and ${this.plan.name}`),
        el("button", { type: "button", "data-key": "close", onclick: () => this.close() }, "Close (Esc)")),
      this.#progress(transfer), ...transfer.outcomes.map((outcome) => this.#outcome(outcome)),
      el("div", { class: "plan-tables", tabindex: "0", role: "group", "aria-label": "Comparison" }, ...KINDS.map(([name, label]) => this.#kind(name, label, aboard[name], transfer))),
      this.#sending(aboard, transfer)].filter(Boolean));
    this.root.querySelector(".plan-tables").scrollTop = scroll;
    if (key != null) (this.root.querySelector(`[data-key="${CSS.escape(key)}"]:not([disabled])`) ?? this.root).focus();
  }

  #progress({ activity, kind, done, total, busy }) {
    if (!busy) return null;
    const text = activity ? `${activity[0].toUpperCase()}${activity.slice(1)}: ${kind}, ${done} of ${total || "?"}` : "Waiting";
    return el("div", { class: "row plan-progress" }, el("progress", { max: total || 1, value: total ? done : null, "aria-label": "Transfer" }),
      el("p", { role: "status" }, text), el("button", { type: "button", "data-key": "cancel", onclick: () => this.plan.ask({ type: "cancel" }) }, "Cancel the transfer"));
  }

  #outcome({ kind, why, verdict, rows, finished_ms: finished }) {
    const [level, text] = VERDICT[verdict];
    const same = rows.filter((row) => row[2]).length;
    const counted = rows.length ? ` (${same} of ${rows.length} the same)` : "";
    return el("p", { class: `plan-outcome ${level}`, role: "status" },
      `${kind[0].toUpperCase()}${kind.slice(1)}${why ? `: sending broke off, ${why};` : " sent:"} ${text}${counted}, ${age(this.plan.now() - finished)} ago`);
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

  #sending(aboard, { busy, blocked }) {
    const chosen = KINDS.map(([name]) => name).filter((name) => this.#chosen.has(name) && !blocked[name]);
    const wrong = this.plan.parts.checks.findings.find(([level, kind]) => level === "error" && chosen.includes(KINDS[kind][0]));
    const why = busy ? "A transfer is under way" : blocked.read || (chosen.length ? (wrong ? wrong[3] : "") : "Nothing is chosen");
    const send = () => this.plan.ask({ type: "send", ...Object.fromEntries(chosen.map((name) => [FIELD[name], aboard[name].digest])) });
    return el("div", { class: "row plan-send" },
      el("button", { type: "button", "data-key": "send", class: "plan-primary", disabled: Boolean(why), onclick: send }, chosen.length ? `Send ${chosen.join(", ")} to ${this.plan.name}` : `Send to ${this.plan.name}`),
      el("button", { type: "button", "data-key": "read", disabled: busy || Boolean(blocked.read), onclick: () => this.plan.ask({ type: "read" }) }, "Read again"),
      el("p", { class: wrong ? "plan-hint alarm" : "plan-hint" }, wrong && !busy ? `Not to be sent: ${why}` : why));
  }
}

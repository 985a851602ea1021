// The secure link, as plain as the battery: whose it is, how well it carries, what has been refused.

import { el, setAttribute, setClass, setHidden, setText } from "./dom.js";
import { NONE, age, clock, number } from "./units.js";

const SHORT = 8; // characters of a station's id
const RESULTS = {
  none: "",
  waiting: "asked …",
  done: "done",
  offered: "offered: the other station has 10 s to accept",
  not_holder: "this station is not in command",
  not_offered: "nothing is offered to this station, or the offer has lapsed",
  holder_present: "the station in command is there: ask it to hand over",
  not_allowed: "the role of this station does not allow it",
  unknown_station: "the drone knows no such station",
  not_saved: "the drone could not write it down, so nothing has changed",
};

class Fact {
  constructor(label, title) {
    this.value = el("dd", {});
    this.root = el("div", { class: "fact", title }, el("dt", {}, label), this.value);
  }

  show(text, level = null) {
    setText(this.value, text);
    setAttribute(this.root, "data-level", level);
  }
}

// What came to us, and what the drone has counted since we listened to it.
function tried(here, aboard = 0) {
  return [aboard ? `${here}, ${aboard} aboard` : String(here), here || aboard ? "caution" : null];
}

export class SecureLink {
  constructor(actions) {
    this.state = el("span", { class: "link-state" });
    this.suite = el("span", { class: "suite" });
    this.facts = {
      holder: new Fact("In command"),
      path: new Fact("Path"),
      trip: new Fact("RTT ≤", "The least of the last answers, which wait for the next frame down"),
      keys: new Fact("Keys", "Generation of the session's keys, and how old they are"),
      ratchet: new Fact("PQ ratchet", "How often ML-KEM has renewed the pre-shared key"),
      picture: new Fact("Picture age ≤", "How old what the drone sends now can be at most"),
      loss: new Fact("Lost, down", "Of the drone's datagrams of the last 10 s"),
      forged: new Fact("Forged", "Datagrams refused because their tag or code is wrong"),
      replayed: new Fact("Replayed", "Datagrams refused because they came before"),
      plain: new Fact("Unsealed", "Plain MAVLink refused on the link"),
      refused: new Fact("Refused", "Commands the drone has refused, as it says itself; and how many of them came too late"),
    };
    this.buttons = {
      accept: el("button", { type: "button", onclick: () => actions.authority("accept") }, "Accept command"),
      claim: el("button", { type: "button", onclick: () => actions.authority("claim") }, "Claim command"),
      preempt: el("button", { type: "button", onclick: () => actions.authority("preempt") }, "Take over"),
      hand_over: el("button", { type: "button", onclick: () => actions.handOver() }, "Hand over …"),
    };
    this.result = el("p", { class: "result", role: "status" });
    this.id = el("p", { class: "own-id" });
    this.root = el("section", { class: "secure", "aria-label": "Secure link" },
      el("p", { class: "link-head" }, this.state, this.suite),
      el("dl", { class: "facts" }, ...Object.values(this.facts).map((fact) => fact.root)),
      el("div", { class: "row" }, ...Object.values(this.buttons)), this.result, this.id);
  }

  show(drone) {
    const { link, authority, model } = drone;
    const facts = this.facts;
    if (!link) return;
    const heard = link.heard_ms == null ? null : model.now() - link.heard_ms;
    const live = link.state === "live" && heard != null && heard < 1500;
    setText(this.state, live ? "Link sealed" : heard == null ? "No link yet" : `Link lost: last heard ${age(heard)} ago`);
    setText(this.suite, link.suite);
    setClass(this.state, "good", live && !link.attack);
    setClass(this.state, "alarm", heard != null && !live);
    setAttribute(this.root, "data-level", link.attack ? "alarm" : link.noise ? "caution" : null);
    const holder = authority.holder_id;
    const named = Object.entries(model.stations).find(([, id]) => id === holder)?.[0];
    const who = holder == null ? NONE : /^0*$/.test(holder) ? "nobody"
      : holder === authority.own_id ? "this station" : named ?? `station ${holder.slice(0, SHORT)}`;
    facts.holder.show(authority.holder_lost ? `${who}, lost` : who, authority.is_holder ? null : "caution");
    facts.path.show(link.path.toUpperCase());
    facts.keys.show(`#${link.generation}, ${link.generation_ms == null ? NONE : clock(model.now() - link.generation_ms)}`);
    facts.ratchet.show(`${link.ratchet}×`);
    facts.trip.show(link.round_trip_ms == null ? NONE : `${number(link.round_trip_ms, link.round_trip_ms < 10 ? 1 : 0)} ms`);
    facts.picture.show(link.picture_s == null ? NONE : age(1000 * link.picture_s), link.picture_s > 2 ? "alarm" : null);
    facts.loss.show(link.loss_down == null ? NONE : `${number(100 * link.loss_down, 1)} %`, link.loss_down >= 0.1 ? "caution" : null);
    facts.forged.show(...tried(link.forged, link.aboard.forged));
    facts.replayed.show(...tried(link.replayed, link.aboard.replayed));
    facts.plain.show(...tried(link.plain, link.aboard.unsealed));
    const stale = link.stale_refused ? `, ${link.stale_refused} late` : "";
    facts.refused.show(`${link.refused}${stale}`, link.refused ? "caution" : null);
    const operator = model.role === "operator";
    setHidden(this.buttons.accept, !(operator && authority.offered));
    setHidden(this.buttons.claim, !(operator && live && !authority.is_holder));
    setHidden(this.buttons.preempt, !(operator && live && !authority.is_holder));
    setHidden(this.buttons.hand_over, !(operator && live && authority.is_holder));
    const said = RESULTS[authority.request] ?? authority.request ?? "";
    setText(this.result, said);
    setText(this.id, authority.own_id ? `This station: ${authority.own_id}` : "");
  }
}

// What the companion's own control core flies of the draft: brought, started, paused, ended, watched.
// Every button stays where it is and says why it cannot be used: nothing moves under a finger.

import { el, setAttribute, setClass, setHidden, setText, svg } from "./dom.js";
import { holdButton, slider } from "./gestures.js";
import { COMMANDS } from "./planfields.js";
import { age, clock, distance, number } from "./units.js";

const STALE = 3000; // ms: the drone says every second how it stands
const MISSION = 0;
const STATES = {
  unknown: ["", "the drone has said nothing yet"],
  empty: ["", "nothing aboard"],
  loaded: ["", "aboard, not started"],
  approaching: ["good", "flying to where it begins"],
  running: ["good", "flying"],
  paused: ["caution", "paused, holding"],
  finished: ["good", "flown to its end, holding"],
  handed_back: ["caution", "ended: the companion steers no more"],
};
const ANSWERS = {
  waiting: ["", "asked, no answer yet"],
  none: ["alarm", "the drone did not answer"],
  done: ["good", "done"],
  refused: ["alarm", "refused"],
  not_holder: ["alarm", "refused: this station is not in command"],
  not_allowed: ["alarm", "refused: the role of this station does not allow it"],
  stale: ["alarm", "refused: the drone got it too late, the link is slow"],
};
const VERBS = { start: "Start", pause: "Pause", resume: "Resume", abort: "Abort", clear: "Forget" };
const SHAPES = [["legs", "Straight legs"], ["curve", "Smooth curve"]];

export class PlanFlight {
  constructor(plan) {
    this.plan = plan;
    this.state = el("span", { class: "plan-flight-state" });
    this.body = el("div", { class: "plan-flight-body" });
    this.root = el("details", { class: "plan-flight" }, el("summary", {}, el("b", {}, "Fly with the companion"), " ", this.state), this.body);
    this.build();
  }

  // Anew for another drone: what has been begun for one is never done to the next.
  build() {
    const name = this.plan.name;
    const say = (deed) => {
      if (name === this.plan.name) this.plan.ask(deed);
    };
    const press = (key, text, done = () => say({ type: key })) => el("button", { type: "button", "data-fly": key, onclick: done }, text);
    const held = (key, text) => {
      const button = holdButton(text, `fly-${key}`, () => say({ type: key }));
      button.dataset.fly = key;
      button.setAttribute("aria-label", `${text} ${name}, for a second`);
      return button;
    };
    this.route = el("p", { class: "plan-hint" });
    this.shape = el("select", { "aria-label": "Way between the places", title: "Straight legs: with a rest at each place. Smooth curve: through all of them without a rest." }, ...SHAPES.map(([value, text]) => el("option", { value }, text)));
    this.acceleration = el("input", { type: "number", min: 0.1, max: 6, step: 0.1, value: 2, required: true });
    const bring = press("bring", `Bring to ${name}`, () => {
      if (this.acceleration.reportValidity()) say({ type: "bring", shape: this.shape.value, acceleration: this.acceleration.valueAsNumber });
    });
    const { track, thumb } = slider(`Slide: start ${name}`, "fly-start", () => say({ type: "start", identity: this.plan.parts.flight.brought?.identity ?? "" }));
    this.track = track;
    thumb.dataset.fly = "start";
    this.buttons = {
      bring, start: thumb, pause: press("pause", "Pause"), resume: held("resume", "Hold: resume"),
      abort: held("abort", "Hold: abort"), forget: press("forget", `Forget what is aboard ${name}`),
    };
    this.buttons.pause.setAttribute("aria-label", `Pause ${name}`);
    this.why = Object.fromEntries(Object.keys(this.buttons).map((key) => [key, el("p", { class: "plan-hint", id: `fly-why-${key}` })]));
    for (const [key, button] of Object.entries(this.buttons)) button.setAttribute("aria-describedby", `fly-why-${key}`);
    this.upload = el("p", { class: "plan-flight-upload", role: "status" });
    const line = (className) => svg("path", { class: className, d: "M1 7C9 -1 19 15 27 7" });
    this.legend = el("p", { class: "plan-legend", hidden: true },
      svg("svg", { viewBox: "0 0 28 14", "aria-hidden": "true" }, line("plan-way"), line("plan-way within")), "The way as it will be flown");
    this.progress = el("progress", { max: 1, value: 0, hidden: true, "aria-label": "Bringing" });
    this.answer = el("p", { class: "plan-flight-answer", role: "status" });
    this.figures = new Map(["Time", "Off its way", "Said"].map((label) => [label, el("dd", {})]));
    this.reason = el("p", { class: "plan-hint alarm" });
    this.body.replaceChildren(
      this.route,
      el("div", { class: "plan-fields plan-flight-how" }, el("label", { class: "plan-field" }, "Way", this.shape), el("label", { class: "plan-field" }, "Acceleration, m/s²", this.acceleration)),
      bring, this.why.bring, this.progress, this.upload, this.legend,
      track, this.why.start,
      el("div", { class: "plan-flight-buttons", role: "group", "aria-label": name }, el("span", { class: "addressee", "aria-hidden": "true" }, name), this.buttons.pause, this.buttons.resume, this.buttons.abort), this.why.pause, this.why.resume, this.why.abort,
      el("dl", { class: "plan-flight-figures" }, ...[...this.figures].map(([label, node]) => el("div", { class: "plan-figure" }, el("dt", {}, label), node))),
      this.reason, this.answer,
      this.buttons.forget, this.why.forget);
  }

  show() {
    if (!this.plan.parts?.flight) return;
    const { route, flight, checks, ways } = this.plan.parts;
    setText(this.route, routeText(route));
    this.#showUpload(flight);
    setHidden(this.legend, !ways.ways.length);
    this.#showAnswer(flight);
    const wrong = checks.findings.find(([level, kind]) => level === "error" && kind === MISSION);
    this.#allow(flight.blocked, wrong?.[3] || route.why);
    this.tick();
  }

  // Called with every picture: what ages, and whether anything can be asked at all.
  tick() {
    if (!this.plan.parts?.flight) return;
    const { told } = this.plan.parts.flight;
    const since = told.heard_ms == null ? null : this.plan.now() - told.heard_ms;
    const isStale = since != null && since > STALE;
    const [level, text] = STATES[told.state] ?? ["", told.state];
    const along = told.identity ? `${clock(told.elapsed_s * 1000)} / ${clock(told.duration_s * 1000)}` : "–";
    setText(this.state, `${text}${isStale ? `, ${age(since)} ago` : ""}`);
    this.state.className = `plan-flight-state ${isStale ? "stale" : level}`;
    setText(this.figures.get("Time"), along);
    setText(this.figures.get("Off its way"), told.error_m == null ? "–" : `${number(told.error_m, 2)} m`);
    setText(this.figures.get("Said"), since == null ? "never" : `${age(since)} ago`);
    setClass(this.body, "stale", isStale);
  }

  // What is blocked keeps the keyboard; who tries it all the same is told why by the gateway.
  #allow(blocked, wrong) {
    const never = this.plan.mayEdit ? "" : "This page only watches";
    for (const [key, button] of Object.entries(this.buttons)) {
      const why = never || blocked[key] || (key === "bring" ? wrong : "");
      setAttribute(button, "aria-disabled", why ? "true" : null);
      setAttribute(button, "title", why || null);
      setText(this.why[key], why ? `${key === "start" ? "Start: " : ""}${why}` : "");
      setHidden(this.why[key], !why || !["bring", "start"].includes(key));
    }
    setClass(this.track, "off", !this.why.start.hidden);
  }

  #showUpload({ making, failed, brought, told }) {
    const isUnderWay = making || ["sending", "judging"].includes(told.upload);
    setHidden(this.progress, !isUnderWay);
    setAttribute(this.progress, "max", told.chunks || 1);
    setAttribute(this.progress, "value", told.upload === "sending" && told.chunks ? told.chunks_sent : null);
    const [level, text] = uploadText(making, failed, brought, told);
    setText(this.upload, text);
    this.upload.className = `plan-flight-upload ${level}`;
  }

  #showAnswer({ asked, told }) {
    const [level, text] = ANSWERS[told.answer] ?? ["", told.answer];
    const why = told.answer === "refused" && told.text ? `: ${told.text}` : "";
    setText(this.answer, asked ? `${VERBS[asked]}: ${text}${why}` : "");
    this.answer.className = `plan-flight-answer ${level}`;
    const ended = told.state === "handed_back" && told.text ? `Ended: ${told.text}` : "";
    setText(this.reason, ended);
    setHidden(this.reason, !ended);
  }
}

const listed = (numbers) => (numbers.length > 4 ? `${numbers.length} items` : `${numbers.length > 1 ? "items" : "item"} ${numbers.join(", ")}`);

function leftOut(all) {
  return all.map(([command, name, numbers]) => `${COMMANDS.get(command)?.[0] ?? name} (${listed(numbers)})`).join(", ");
}

function routeText({ places, left_out: left, waits, why }) {
  if (why) return "The companion flies waypoints, splines and the lanes of surveys.";
  const not = left.length ? ` Not flown by it: ${leftOut(left)}.` : "";
  const wait = waits.length ? ` It does not wait at ${listed(waits)}.` : "";
  return `${places} places of the draft are flown, at the plan's speed.${not}${wait}`;
}

function uploadText(making, failed, brought, told) {
  if (making) return ["", "Making the trajectory"];
  if (failed) return ["alarm", `Not brought: ${failed}`];
  const own = brought && told.upload_identity === brought.identity;
  if (told.upload === "none" || !own) return ["", brought ? "Another trajectory has taken its place" : "Nothing has been brought yet"];
  if (told.upload === "loaded" && told.identity !== brought.identity) return ["", "What was brought is no longer aboard"];
  const [low, high] = brought.heights;
  const what = `${brought.places} places, ${distance(brought.length)}, ${clock(brought.duration_s * 1000)}, up to ${number(brought.speed, 1)} m/s, ${number(low, 0)} to ${number(high, 0)} m above home`;
  const old = brought.is_draft ? "" : " The draft has changed since.";
  switch (told.upload) {
    case "sending": return ["", `Bringing it: ${told.chunks_sent} of ${told.chunks}`];
    case "judging": return ["", "The drone judges it"];
    case "loaded": return [brought.is_draft ? "good" : "caution", `Taken by the drone: ${what}.${old}`];
    case "refused": return ["alarm", `Refused by the drone: ${told.text}`];
    default: return ["alarm", `Not brought: ${told.text}`];
  }
}

// What the fields of a plan are called, and what may be in them.

import { el } from "./dom.js";

export const FRAMES = [[3, "above home"], [0, "above the sea"], [10, "above the ground"]];
const SAME_FRAME = { 5: 0, 6: 3, 11: 10 };

// By command: its name, and the names of those of its first four parameters that matter.
export const COMMANDS = new Map([
  [22, ["Take-off", {}]],
  [16, ["Waypoint", { 0: "Wait, s" }]],
  [82, ["Spline waypoint", { 0: "Wait, s" }]],
  [19, ["Hold for a time", { 0: "Time, s" }]],
  [17, ["Hold for good", {}]],
  [20, ["Return", {}]],
  [21, ["Land", {}]],
  [93, ["Delay", { 0: "Delay, s" }]],
  [178, ["Change speed", { 0: "Kind (1: over ground)", 1: "Speed, m/s" }]],
  [112, ["Wait before actions", { 0: "Time, s" }]],
  [115, ["Heading", { 0: "Heading, °", 1: "Rate, °/s", 2: "Direction (−1, 1)", 3: "Relative (1)" }]],
  [195, ["Look at", {}]],
  [197, ["Look ahead again", {}]],
  [206, ["Picture every", { 0: "Distance, m" }]],
  [177, ["Jump", { 0: "To item", 1: "Times" }]],
]);
const PLACED = new Set([22, 16, 82, 19, 17, 21, 195]);

export function title(entry) {
  switch (entry.type) {
    case "survey": return "Survey";
    case "foreign": return entry.kind;
    case "polygon": return entry.inclusion ? "Stay in" : "Keep out";
    case "circle": return entry.inclusion ? "Stay in, circle" : "Keep out, circle";
    case "rally": return "Rally point";
    default: return COMMANDS.get(entry.command)?.[0] ?? entry.name;
  }
}

// What a line of the list says besides the title.
export function summary(entry) {
  const round = (value) => Number(value.toFixed(1));
  switch (entry.type) {
    case "survey": return `${round(entry.altitude)} m, ${entry.count} items`;
    case "foreign": return entry.path.length ? `${entry.count} items, as in its file` : "only QGroundControl can lay it out";
    case "polygon": return `${entry.points.length} corners`;
    case "circle": return `${round(entry.radius)} m`;
    case "rally": return `${round(entry.altitude)} m`;
    default: {
      const altitude = entry.params[6];
      if (entry.has_place) return altitude == null ? "no altitude" : `${round(altitude)} m`;
      return Object.keys(COMMANDS.get(entry.command)?.[1] ?? {}).map((n) => entry.params[n] ?? "–").join(", ");
    }
  }
}

export function newItem(command, [lat, lon], altitude) {
  const placed = PLACED.has(command);
  const params = [0, 0, 0, placed ? null : 0, 0, 0, 0];
  if (placed) [params[4], params[5], params[6]] = command === 22 ? [null, null, altitude] : [lat, lon, command === 21 ? 0 : altitude];
  if (command === 178) [params[0], params[1], params[2]] = [1, 5, -1];
  if (command === 177) [params[0], params[1]] = [1, 1];
  return { type: "item", command, frame: placed ? 3 : 2, params };
}

// An element as the gateway takes it back: without what it told besides.
export function bare(entry) {
  const { name, has_place: _, number, path, count, ...rest } = entry;
  return rest;
}

// A number is a text while it is typed: a field of type number forgets the point of "31." when it is
// drawn anew. It is committed when the keyboard leaves it, or by Enter, if it is another than before.
// What is not allowed is said once, and holds the keyboard; who leaves again gets the old value back.
export function numberField(key, label, value, { min, max, step = "any", empty = false, commit }) {
  const input = el("input", { type: "text", inputmode: "decimal", "data-key": key, value: value ?? "", autocomplete: "off", spellcheck: "false" });
  let refused = null;
  const leave = () => {
    if (input.isRedrawn) return;
    if (input.value === refused) input.value = input.defaultValue;
    if (input.value === input.defaultValue) return;
    const text = input.value.trim().replace("\u2212", "-");
    const number = text === "" ? null : Number(text);
    const isAllowed = number === null ? empty : number >= min && number <= max && (step === "any" || Number.isInteger(number / step));
    input.setCustomValidity(isAllowed ? "" : `${label}: allowed: ${step === 1 ? "whole numbers " : ""}${min} to ${max}${empty ? ", or nothing" : ""}`);
    refused = isAllowed ? null : input.value;
    if (!input.reportValidity()) return;
    input.defaultValue = input.value;
    commit(number);
  };
  input.addEventListener("input", () => input.setCustomValidity(""));
  input.addEventListener("blur", leave);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") leave();
  });
  return el("label", { class: "plan-field" }, el("span", {}, label), input);
}

export function choiceField(key, label, value, choices, commit) {
  const known = choices.some(([each]) => each === value) ? choices : [...choices, [value, String(value)]];
  const select = el("select", { "data-key": key }, ...known.map(([each, text]) => el("option", { value: each, selected: each === value }, text)));
  select.addEventListener("change", () => commit(known[select.selectedIndex][0]));
  return el("label", { class: "plan-field" }, el("span", {}, label), select);
}

export function checkField(key, label, value, commit) {
  const input = el("input", { type: "checkbox", "data-key": key, checked: value });
  input.addEventListener("change", () => commit(input.checked));
  return el("label", { class: "plan-field check" }, input, el("span", {}, label));
}

// The fields of one element; `put` takes the changed element. What is committed is made of the
// element as it is then: two fields may change before the gateway has answered the first.
export function fieldsOf(entry, put) {
  const key = (name) => `${entry.id}-${name}`;
  const number = (name, label, limits) => numberField(key(name), label, entry[name], { ...limits, commit: (value) => put({ ...entry, [name]: value }) });
  const lat = { min: -90, max: 90 };
  const lon = { min: -180, max: 180 };
  switch (entry.type) {
    case "item": return itemFields(entry, put, key);
    case "rally": return [number("lat", "Latitude, °", lat), number("lon", "Longitude, °", lon), number("altitude", "Altitude above home, m", { min: -1000, max: 10000 })];
    case "circle": return [insideField(entry, put, key), number("lat", "Latitude, °", lat), number("lon", "Longitude, °", lon), number("radius", "Radius, m", { min: 1, max: 100000 })];
    case "polygon": return [insideField(entry, put, key), corners(entry, "points", put, key)];
    case "survey": return surveyFields(entry, put, key, number);
    default: return [el("p", { class: "plan-hint" }, "Kept as it is in the file. It can be moved in the list and deleted.")];
  }
}

const insideField = (entry, put, key) =>
  choiceField(key("inclusion"), "Kind", entry.inclusion, [[true, "Stay in"], [false, "Keep out"]], (value) => put({ ...entry, inclusion: value }));

function itemFields(entry, put, key) {
  const set = (at) => (value) => put({ ...entry, params: entry.params.map((old, n) => (n === at ? value : old)) });
  const names = COMMANDS.get(entry.command)?.[1] ?? {};
  const commands = [...COMMANDS].map(([command, [name]]) => [command, name]);
  const field = (at, label, limits) => numberField(key(at), label, entry.params[at], { empty: true, ...limits, commit: set(at) });
  const changed = (command) => put({ ...newItem(command, [entry.params[4], entry.params[5]], entry.params[6] ?? 20), id: entry.id });
  const out = [choiceField(key("command"), "Command", entry.command, COMMANDS.has(entry.command) ? commands : [...commands, [entry.command, entry.name]], changed)];
  for (const [at, label] of Object.entries(names)) out.push(field(Number(at), label, { min: -1e9, max: 1e9 }));
  if (entry.has_place) {
    out.push(field(4, "Latitude, °", { min: -90, max: 90 }), field(5, "Longitude, °", { min: -180, max: 180 }), field(6, "Altitude, m", { min: -10000, max: 10000 }));
    out.push(choiceField(key("frame"), "Altitude is", SAME_FRAME[entry.frame] ?? entry.frame, FRAMES, (frame) => put({ ...entry, frame })));
  }
  const rest = [0, 1, 2, 3, ...(entry.has_place ? [] : [4, 5, 6])].filter((at) => !(at in names));
  out.push(el("details", { "data-key": key("rest"), class: "plan-rest" }, el("summary", {}, "Other parameters"),
    el("div", { class: "plan-fields" }, ...rest.map((at) => field(at, `Parameter ${at + 1}`, { min: -1e9, max: 1e9 })))));
  return out;
}

function surveyFields(entry, put, key, number) {
  const camera = entry.camera;
  const lens = (name, label, max, step) => numberField(key(name), label, camera[name], { min: 0.01, max, step, commit: (value) => put({ ...entry, camera: { ...entry.camera, [name]: value } }) });
  const out = [
    number("altitude", "Altitude above home, m", { min: 1, max: 1000 }),
    number("angle", "Bearing of the lines, °", { min: -360, max: 360 }),
    choiceField(key("entry"), "Begins", entry.entry, [[0, "far, left"], [1, "far, right"], [2, "near, left"], [3, "near, right"]], (value) => put({ ...entry, entry: value })),
    number("turnaround", "Beyond the edge, m", { min: 0, max: 500 }),
    checkField(key("camera"), "Distances from a camera", Boolean(camera), (on) => put({ ...entry, camera: on
      ? { name: "Camera", sensor_width: 6.3, sensor_height: 4.7, image_width: 4000, image_height: 3000, focal_length: 4.5, landscape: true } : null })),
  ];
  if (camera) {
    out.push(number("front_overlap", "Overlap along, %", { min: 0, max: 95 }), number("side_overlap", "Overlap across, %", { min: 0, max: 95 }),
      lens("sensor_width", "Sensor width, mm", 200), lens("sensor_height", "Sensor height, mm", 200),
      lens("image_width", "Picture width, px", 100000, 1), lens("image_height", "Picture height, px", 100000, 1),
      lens("focal_length", "Focal length, mm", 2000),
      checkField(key("landscape"), "Long side across the line", camera.landscape, (value) => put({ ...entry, camera: { ...entry.camera, landscape: value } })),
      el("p", { class: "plan-hint" }, `Lines every ${entry.spacing.toFixed(1)} m, a picture every ${entry.trigger.toFixed(1)} m`));
  } else {
    out.push(number("spacing", "Between lines, m", { min: 0.5, max: 5000 }), number("trigger", "Picture every, m (0: none)", { min: 0, max: 5000 }));
  }
  out.push(checkField(key("in_turnaround"), "Pictures while turning", entry.in_turnaround, (value) => put({ ...entry, in_turnaround: value })));
  out.push(corners(entry, "polygon", put, key));
  return out;
}

// The corners of a polygon as numbers.
function corners(entry, field, put, key) {
  const points = entry[field];
  const set = (changed) => put({ ...entry, [field]: changed });
  const edit = (n, at) => (value) => set(entry[field].map((point, m) => (m === n ? point.map((old, k) => (k === at ? value : old)) : point)));
  const next = (n) => points[(n + 1) % points.length];
  const row = (point, n) => el("li", { class: "plan-corner" },
    numberField(key(`${n}-lat`), `Corner ${n + 1}, latitude, °`, point[0], { min: -90, max: 90, commit: edit(n, 0) }),
    numberField(key(`${n}-lon`), `Corner ${n + 1}, longitude, °`, point[1], { min: -180, max: 180, commit: edit(n, 1) }),
    el("button", { type: "button", "data-key": key(`${n}-add`), "aria-label": `Add a corner after corner ${n + 1}`,
      onclick: () => set(points.toSpliced(n + 1, 0, [0, 1].map((k) => (point[k] + next(n)[k]) / 2))) }, "+"),
    el("button", { type: "button", "data-key": key(`${n}-drop`), "aria-label": `Delete corner ${n + 1}`, disabled: points.length <= 3,
      onclick: () => set(points.toSpliced(n, 1)) }, "−"));
  return el("details", { "data-key": key("corners"), class: "plan-rest" }, el("summary", {}, `${points.length} corners`), el("ol", {}, ...points.map(row)));
}

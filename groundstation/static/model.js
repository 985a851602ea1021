// What the page knows of each drone: the gateway's sections and groups as they last came.
// Times are milliseconds of the gateway's clock; it goes on here when no picture comes, so that
// everything ages whatever fails.

const MAX_MESSAGES = 200;
const MAX_TRACK = 3600;
const LOST = 3000; // ms
const TRACK_STEP = 2e-6; // degrees, about 0.2 m

export class Drone {
  constructor(name, model) {
    this.name = name;
    this.model = model;
    this.groups = {};
    this.messages = [];
    this.orders = [];
    this.track = [];
    this.dropped = 0; // points that the track has lost at its front
    this.word = ["NOT CONNECTED", 0, []];
    this.blocked = {};
    this.timers = [null, null];
    this.link = null;
    this.authority = {};
    this.challenge = null;
    this.endurance = null;
    this.recorder = null;
    this.plan0 = null;
    this.plan1 = null;
  }

  merge(changes) {
    for (const [name, values] of Object.entries(changes.groups ?? {})) this.groups[name] = values;
    for (const message of changes.messages ?? []) this.#take(message);
    const { groups, messages, ...sections } = changes;
    Object.assign(this, sections);
    if (groups?.position) this.#extendTrack();
  }

  // The value of a field; null if it is unknown.
  get(group, field) {
    const values = this.groups[group];
    const place = this.model.places[group]?.[field];
    return values == null || place == null ? null : values[place + 1];
  }

  // How old a group is [ms]; null if it never came.
  age(group) {
    const values = this.groups[group];
    return values == null ? null : this.model.now() - values[0];
  }

  isStale(group) {
    const age = this.age(group);
    const limit = this.model.stale[group];
    // What is rarely sent is fresh for long, but not when nothing at all is heard any more.
    return age != null && limit != null && age > (this.link && this.link.state !== "live" ? Math.min(limit, LOST) : limit);
  }

  get mode() {
    const mode = this.get("heartbeat", "custom_mode");
    return mode == null ? "–" : (this.model.modes[mode] ?? `MODE ${mode}`);
  }

  get place() {
    const [lat, lon] = [this.get("position", "lat"), this.get("position", "lon")];
    return lat || lon ? [lat, lon] : null;
  }

  get home() {
    const [lat, lon] = [this.get("home", "latitude"), this.get("home", "longitude")];
    return lat == null ? null : [lat, lon];
  }

  #take(message) {
    const known = this.messages.findIndex((other) => other[0] === message[0]);
    if (known >= 0) this.messages[known] = message;
    else this.messages.push(message);
    if (this.messages.length > MAX_MESSAGES) this.messages.shift();
  }

  #extendTrack() {
    const place = this.place;
    const last = this.track.at(-1);
    if (!place) return;
    if (last && Math.abs(last[0] - place[0]) + Math.abs(last[1] - place[1]) < TRACK_STEP) return;
    this.track.push(place);
    if (this.track.length > MAX_TRACK) {
      this.track.shift();
      this.dropped += 1;
    }
  }
}

export class Model {
  constructor() {
    this.drones = new Map();
    this.selected = null;
    this.role = "viewer";
    this.name = "";
    this.present = [];
    this.places = {};
    this.stale = {};
    this.modes = {};
    this.offered = [];
    this.actions = {};
    this.maps = [];
    this.pictureNow = null;
    this.arrived = 0;
  }

  welcome(welcome) {
    this.role = welcome.role;
    this.name = welcome.name;
    this.modes = welcome.modes;
    this.offered = welcome.offered;
    this.actions = welcome.actions;
    this.maps = welcome.maps;
    this.stations = welcome.stations;
    for (const [group, { fields, stale_ms: stale }] of Object.entries(welcome.groups)) {
      this.places[group] = Object.fromEntries(fields.map((field, place) => [field, place]));
      this.stale[group] = stale;
    }
    const before = this.drones;
    this.drones = new Map();
    for (const name of welcome.drones) {
      const drone = new Drone(name, this);
      drone.track = welcome.tracks[name] ?? [];
      this.drones.set(name, drone);
    }
    // Focus never moves by itself: only where there was none, or where there is no such drone now.
    if (!this.drones.has(this.selected)) this.selected = before.size ? null : welcome.drones[0];
    this.#setNow(welcome.now);
  }

  picture(picture) {
    this.#setNow(picture.now);
    if (picture.present) this.present = picture.present;
    for (const [name, changes] of Object.entries(picture.drones)) this.drones.get(name)?.merge(changes);
  }

  #setNow(now) {
    this.pictureNow = now;
    this.arrived = performance.now();
  }

  // The gateway's time [ms], as far as it can be known.
  now() {
    return this.pictureNow == null ? 0 : this.pictureNow + performance.now() - this.arrived;
  }

  // For how long nothing has come from the gateway [ms].
  get silence() {
    return this.pictureNow == null ? null : performance.now() - this.arrived;
  }

  get drone() {
    return this.drones.get(this.selected) ?? null;
  }
}

// The WebSocket to the gateway: comes back by itself, says every second that the page runs.

export const KEY = "sekisho-key";
const BEAT = 1000;
const FIRST_RETRY = 500;
const LAST_RETRY = 4000;
const ANSWER_WITHIN = 4000;
const REFUSED = 1008;
const UNKNOWN = 401;

export class Live {
  #socket = null;
  #retry = FIRST_RETRY;
  #number = 0;
  #waiting = new Map();

  constructor(model, onChange) {
    this.model = model;
    this.onChange = onChange;
    this.state = "connecting"; // connecting | open | lost | refused
    this.onView = {}; // by the view's name: takes what the gateway tells that view
    setInterval(() => this.#beat(), BEAT);
    document.addEventListener("visibilitychange", () => this.#beat());
    this.#connect();
  }

  // Ask for something; resolves to what hindered it, "" if nothing.
  ask(message) {
    if (this.state !== "open") return Promise.resolve("No connection to the gateway");
    const id = ++this.#number;
    this.#send({ ...message, id, saw: this.model.pictureNow });
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle(id, "The gateway did not answer"), ANSWER_WITHIN);
      this.#waiting.set(id, { resolve, timer });
    });
  }

  #connect() {
    const key = sessionStorage.getItem(KEY);
    if (!key) {
      this.#become("refused");
      return;
    }
    const socket = new WebSocket(`ws://${location.host}/live`);
    let opened = false;
    this.#socket = socket;
    socket.onopen = () => {
      opened = true;
      socket.send(JSON.stringify({ type: "hello", key }));
      this.#retry = FIRST_RETRY;
    };
    socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    socket.onclose = async (event) => {
      for (const id of [...this.#waiting.keys()]) this.#settle(id, "The connection broke");
      if (event.code === REFUSED) {
        this.#become("refused");
        return;
      }
      this.#become("lost");
      if (!opened && (await isShutOut())) {
        this.#become("refused");
        return;
      }
      setTimeout(() => this.#connect(), this.#retry);
      this.#retry = Math.min(2 * this.#retry, LAST_RETRY);
    };
  }

  #receive(reply) {
    switch (reply.t) {
      case "welcome":
        this.model.welcome(reply);
        this.#become("open");
        this.#beat();
        break;
      case "picture":
        this.model.picture(reply);
        this.onChange("picture");
        break;
      case "view":
        this.onView[reply.view]?.(reply);
        break;
      case "result":
        this.#settle(reply.id, reply.error);
        break;
      default:
        console.warn(reply.what, reply.why);
    }
  }

  #settle(id, why) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    clearTimeout(waiting.timer);
    this.#waiting.delete(id);
    waiting.resolve(why);
  }

  #beat() {
    if (this.state === "open")
      this.#send({ type: "here", visible: document.visibilityState === "visible" });
  }

  #send(message) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #become(state) {
    this.state = state;
    this.onChange(state);
  }
}

// To a page a handshake that is refused looks as if nobody were there: a gateway that has been started
// anew knows this page no more.
async function isShutOut() {
  try {
    const answer = await fetch("/", { method: "HEAD", signal: AbortSignal.timeout(LAST_RETRY) });
    return answer.status === UNKNOWN;
  } catch {
    return false;
  }
}

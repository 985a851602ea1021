// Hold and slide: what no slip, no double click and no raindrop does. The keyboard's equal of both
// is holding Enter or the space bar for a second. Whatever interrupts a gesture cancels it.

import { el } from "./dom.js";

const HOLD = 1000;
const REACHED = 0.97;
const KEYS = new Set(["Enter", " "]);

// Calls `progress` with 0 to 1 while held, `done` once when it has been held for a second.
function whileHeld(node, { pointer, progress, done }) {
  let started = null;
  let frame = 0;

  function step(now) {
    if (started == null) return;
    const share = Math.min(1, (now - started) / HOLD);
    progress(share);
    if (share < 1) {
      frame = requestAnimationFrame(step);
      return;
    }
    started = null;
    progress(0);
    done();
  }
  function begin() {
    if (started != null) return;
    started = performance.now();
    frame = requestAnimationFrame(step);
  }
  function cancel() {
    if (started == null) return;
    started = null;
    cancelAnimationFrame(frame);
    progress(0);
  }

  if (pointer) {
    node.addEventListener("pointerdown", (event) => event.button === 0 && begin());
    for (const name of ["pointerup", "pointercancel", "pointerleave"]) node.addEventListener(name, cancel);
  }
  node.addEventListener("keydown", (event) => {
    if (!KEYS.has(event.key)) return;
    event.preventDefault();
    if (!event.repeat) begin();
  });
  node.addEventListener("keyup", (event) => KEYS.has(event.key) && cancel());
  node.addEventListener("blur", cancel);
  node.addEventListener("contextmenu", (event) => event.preventDefault());
  document.addEventListener("visibilitychange", cancel);
}

export function holdButton(label, className, done) {
  const fill = el("span", { class: "fill", "aria-hidden": "true" });
  const button = el("button", { type: "button", class: `hold ${className}` }, fill, el("span", {}, label));
  button.setAttribute("aria-label", `${label}, for a second`);
  whileHeld(button, {
    pointer: true,
    progress: (share) => fill.style.setProperty("--share", share),
    done,
  });
  return button;
}

export function slider(label, className, done) {
  const fill = el("span", { class: "fill", "aria-hidden": "true" });
  const thumb = el("button", { type: "button", class: "thumb" }, "»");
  thumb.setAttribute("aria-label", `${label}, to the end; or hold Enter for a second`);
  const track = el("div", { class: `slide ${className}` }, fill, el("span", { class: "legend" }, label), thumb);
  let from = null;

  const place = (share) => track.style.setProperty("--share", share);
  const room = () => track.clientWidth - thumb.offsetWidth;
  const shareAt = (event) => Math.min(1, Math.max(0, (event.clientX - from) / room()));
  function stop() {
    from = null;
    place(0);
  }

  thumb.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    from = event.clientX;
    thumb.setPointerCapture(event.pointerId);
  });
  thumb.addEventListener("pointermove", (event) => from != null && place(shareAt(event)));
  thumb.addEventListener("pointerup", (event) => {
    if (from == null) return;
    const reached = shareAt(event) >= REACHED;
    stop();
    if (reached) done();
  });
  thumb.addEventListener("pointercancel", stop);
  whileHeld(thumb, { pointer: false, progress: place, done });
  return { track, thumb };
}

// Levels as words, shapes and classes: colour is never the only sign.

export const LEVELS = ["quiet", "good", "caution", "alarm"];
const SHAPES = ["○", "●", "▲", "■"];

export const shape = (level) => SHAPES[level];

// The word of a drone as the page knows it: if the gateway is silent, nothing else is known.
export function wordOf(drone) {
  const silence = drone.model.silence;
  if (silence != null && silence > 1500)
    return ["NO GATEWAY", 3, [[3, `Nothing from the gateway for ${Math.round(silence / 1000)} s: what is shown is old`]]];
  return drone.word;
}

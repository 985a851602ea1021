// Numbers for people: a missing value is a dash, never a zero.

export const NONE = "–";

export const number = (value, decimals = 0) =>
  value == null || !Number.isFinite(value) ? NONE : value.toFixed(decimals).replace(/^-(0(?:\.0*)?)$/, "$1");

export function age(milliseconds) {
  if (milliseconds == null) return NONE;
  const seconds = Math.max(0, milliseconds / 1000);
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.floor(seconds)} s`;
  if (seconds < 6000) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}

export function clock(milliseconds) {
  if (milliseconds == null) return NONE;
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}

export const degrees = (value) =>
  value == null ? NONE : `${String(Math.round(((value % 360) + 360) % 360) % 360).padStart(3, "0")}°`;

export function distance(metres) {
  if (metres == null || !Number.isFinite(metres)) return NONE;
  return metres < 1000 ? `${Math.round(metres)} m` : `${(metres / 1000).toFixed(2)} km`;
}

const EARTH = 6371000;
const radians = (value) => (value * Math.PI) / 180;

// Distance [m] and bearing [degrees] on a sphere.
export function between(from, to) {
  const [a, b] = [radians(from[0]), radians(to[0])];
  const east = radians(to[1] - from[1]);
  const h = Math.sin((b - a) / 2) ** 2 + Math.cos(a) * Math.cos(b) * Math.sin(east / 2) ** 2;
  const bearing = Math.atan2(
    Math.sin(east) * Math.cos(b),
    Math.cos(a) * Math.sin(b) - Math.sin(a) * Math.cos(b) * Math.cos(east),
  );
  return { metres: 2 * EARTH * Math.asin(Math.min(1, Math.sqrt(h))), bearing: (bearing * 180) / Math.PI };
}

// Orders with their results, and what the drone says; newest first, each with its age.

import { byId, el, setText } from "./dom.js";
import { age } from "./units.js";

const SHOWN = 60;
const SEVERITIES = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
let shown = "";
let ages = [];

const levelOf = (severity) => (severity <= 3 ? "alarm" : severity === 4 ? "caution" : "quiet");
const OUTCOMES = { accepted: "good", refused: "alarm", "no answer": "alarm", "in progress": "caution", sent: "quiet", replaced: "quiet" };

function line(level, tag, text, time) {
  const shownAge = el("span", { class: "age" });
  ages.push([shownAge, time]);
  return el("li", { class: level }, tag && el("span", { class: "tag" }, tag), el("span", { class: tag ? "text" : "text only" }, text), shownAge);
}

export const orderText = (order) =>
  order.outcome === "accepted" || !order.result ? order.outcome : `${order.outcome}: ${order.result.replace("MAV_RESULT_", "")}`;

export function showLog(model) {
  const drone = model.drone;
  const orders = drone ? drone.orders.slice(-8).reverse() : [];
  const messages = drone ? drone.messages.slice(-SHOWN).reverse() : [];
  const key = JSON.stringify([drone?.name, orders, messages.length, messages[0]]);
  if (key !== shown) {
    shown = key;
    ages = [];
    byId("orders").replaceChildren(...(orders.length
      ? orders.map((order) => line(OUTCOMES[order.outcome], orderText(order), order.text, order.changed_ms))
      : [el("li", { class: "none" }, "None yet.")]));
    byId("messages").replaceChildren(...(messages.length
      ? messages.map(([, seen, severity, text]) => line(levelOf(severity), severity <= 4 ? SEVERITIES[severity] : null, text, seen))
      : [el("li", { class: "none" }, "None yet.")]));
  }
  for (const [node, time] of ages) setText(node, age(model.now() - time));
}

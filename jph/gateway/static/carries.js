// Heaters in a list: the order, whether the wire carries it, until when, and why it is shed.
import { ORDERS, orderOf, rows, wire } from "./board.js";
import { make, mark, put } from "./dom.js";
import { clock } from "./figures.js";
import { t } from "./words.js";

// Shows what the wire of a heater's line carries.
export function carry(item) {
  const { applied, verified, code } = item.dataset;
  const [text, kind, words] = wire(
    rows.get(code)?.order,
    applied && orderOf(applied),
    verified && orderOf(verified),
  );
  const place = item.querySelector('[data-part="carries"]');
  if (place.dataset.words === words) return;
  place.dataset.words = words;
  mark(place, "kind", kind);
  place.title = words;
  place.replaceChildren(make("span", { "aria-hidden": "true" }, text), make("span.hidden", {}, words));
}

// Says below a heater until when its order holds and why it is shed; `heater` is of /api/heaters.
/** @param {HTMLElement} item @param {HeaterNow} heater */
export function reason(item, heater) {
  const parts = [];
  if (heater.until) parts.push(until(heater));
  if (heater.shed) parts.push(heater.reason || t("shed"));
  put(item.querySelector('[data-part="reason"]'), parts.join(" "));
}

export function until({ until: end, then }) {
  const time = clock(end);
  return then ? t("until {time}, then {order}.", { time, order: ORDERS[then] }) : t("until {time}.", { time });
}

export function nameOf(heater) {
  return [heater.room, heater.name].filter(Boolean).join(" · ") || heater.codifier;
}

// A day as a ribbon whose edges are dragged, or moved with the arrow keys.
import { make } from "../dom.js";
import { ribbon, wished } from "../rooms/ribbon.js";
import { t } from "../words.js";
import { STEP_MIN, minutes, moved } from "./model.js";

const DAY_MIN = 1440;
const KEYS = { ArrowLeft: -STEP_MIN, ArrowDown: -STEP_MIN, ArrowRight: STEP_MIN, ArrowUp: STEP_MIN, PageDown: -60, PageUp: 60 };

/**
 * Draws a day; `change(slots, done)` is called while an edge moves, and with `done` at its end.
 * @param {any} item
 * @param {import("./model.js").Slot[]} slots
 * @param {string} name
 * @param {((slots: import("./model.js").Slot[], done: boolean) => void) | null} change
 */
export function lane(item, slots, name, change) {
  const svg = item.querySelector(".ribbon");
  ribbon(svg, slots.map((slot) => [minutes(slot.start), slot.value, "schedule"]), 0, DAY_MIN, -1);
  svg.setAttribute("aria-label", `${name}: ${slots.map((slot) => `${slot.start} ${wished(slot.value)}`).join(", ")}`);
  const edges = item.querySelector(".edges");
  const wanted = change ? slots.length - 1 : 0;
  while (edges.children.length > wanted) edges.lastChild.remove();
  while (edges.children.length < wanted) edges.append(make("span.edge", { role: "slider", tabIndex: 0, "aria-valuemin": "0", "aria-valuemax": String(DAY_MIN) }));
  [...edges.children].forEach((edge, position) => {
    const index = position + 1;
    const slot = slots[index];
    edge.style.left = `${(100 * minutes(slot.start)) / DAY_MIN}%`;
    edge.setAttribute("aria-valuenow", String(minutes(slot.start)));
    edge.setAttribute("aria-valuetext", slot.start);
    edge.setAttribute("aria-label", t("{day}: {wish} begins", { day: name, wish: wished(slot.value) }));
    edge.onkeydown = (event) => {
      const by = KEYS[event.key];
      if (!by) return;
      event.preventDefault();
      change(moved(slots, index, minutes(slot.start) + by), true);
    };
    edge.onpointerdown = (event) => drag(edge, edges, event, (at, done) => change(moved(slots, index, at), done));
  });
}

// Follows a finger until it is lifted.
function drag(edge, edges, down, to) {
  down.preventDefault();
  edge.setPointerCapture(down.pointerId);
  const at = (event) => {
    const box = edges.getBoundingClientRect();
    return (DAY_MIN * (event.clientX - box.left)) / box.width;
  };
  const move = (event) => to(at(event), false);
  const end = (event) => {
    edge.removeEventListener("pointermove", move);
    edge.removeEventListener("pointerup", end);
    edge.removeEventListener("pointercancel", end);
    to(at(event), true);
  };
  edge.addEventListener("pointermove", move);
  edge.addEventListener("pointerup", end);
  edge.addEventListener("pointercancel", end);
}

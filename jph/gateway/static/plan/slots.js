// The slots of an open day: times, wishes, add, remove, copy to other days.
import { ORDERS } from "../board.js";
import { make } from "../dom.js";
import { wished } from "../rooms/ribbon.js";
import { t } from "../words.js";
import { added, sorted } from "./model.js";

/**
 * @param {any} place
 * @param {import("./model.js").Slot[]} slots
 * @param {{name: string, names: string[], day: string, facts: any, change: (slots: any) => void, copy: (day: string) => void}} of
 */
export function editor(place, slots, { name, names, day, facts, change, copy }) {
  const rows = slots.map((slot, index) => {
    const set = (more) => change(sorted(slots.map((each, at) => (at === index ? { ...each, ...more } : each))));
    const time = make("input", { type: "time", value: slot.start, step: 900, disabled: index === 0, "aria-label": t("{day}: slot {number} begins at", { day: name, number: index + 1 }) });
    time.addEventListener("change", () => time.value && set({ start: time.value }));
    const remove = make("button.square", { type: "button", disabled: index === 0, "aria-label": t("{day}: remove the slot at {time}", { day: name, time: slot.start }) }, "✕");
    remove.addEventListener("click", () => change(slots.filter((_, at) => at !== index)));
    return make("div.row.slot", { dataset: { start: slot.start } }, time, facts.degrees ? stepper(slot, name, facts, set) : orders(slot, name, set), remove);
  });
  const more = make("button", { type: "button" }, t("Add a slot"));
  more.addEventListener("click", () => change(added(slots)));
  const copies = names.map((other, at) => {
    const button = make("button.small", { type: "button", disabled: String(at + 1) === day, "aria-label": t("Copy {day} to {other}", { day: name, other }) }, other.slice(0, 3));
    button.addEventListener("click", () => copy(String(at + 1)));
    return button;
  });
  const all = make("button.small", { type: "button" }, t("all days"));
  all.addEventListener("click", () => copy(""));
  place.replaceChildren(...rows, make("div.row", {}, more), make("p.label", {}, t("Copy this day to")), make("div.row.copies", {}, ...copies, all));
}

function stepper(slot, name, facts, set) {
  const button = (by, sign, words) => {
    const made = make("button", { type: "button", "aria-label": words }, sign);
    const value = typeof slot.value === "number" ? slot.value : facts.minimum;
    made.addEventListener("click", () => set({ value: Math.min(facts.maximum, Math.max(facts.minimum, value + by)) }));
    return made;
  };
  const at = { day: name, time: slot.start };
  return make("div.step", {}, button(-0.5, "−", t("{day} {time}: cooler", at)), make("span.wish", {}, make("b", {}, wished(slot.value))), button(0.5, "+", t("{day} {time}: warmer", at)));
}

function orders(slot, name, set) {
  const select = make("select", { "aria-label": t("{day} {time}: order", { day: name, time: slot.start }) },
    ...["comfort", "eco", "frost", "off"].map((word) => make("option", { value: word, selected: slot.value === word }, ORDERS[word])));
  select.addEventListener("change", () => set({ value: select.value }));
  return select;
}

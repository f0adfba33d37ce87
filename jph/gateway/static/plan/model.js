// The week of a room as the editor has it: slots by week and day. Pure.

export const STEP_MIN = 15;
const DAY_MIN = 1440;
const MOST = 48;

/** @typedef {{start: string, value: number | string | null}} Slot */
/** @typedef {Record<string, Slot[]>} Days */

export function minutes(start) {
  const [hours, rest] = start.split(":").map(Number);
  return 60 * hours + rest;
}

export function text(at) {
  return `${String(Math.floor(at / 60)).padStart(2, "0")}:${String(at % 60).padStart(2, "0")}`;
}

// The days of one week, each with a slot at midnight.
/** @param {Record<string, any[]>} latest @param {number | string} value @returns {Days} */
export function daysOf(latest, value) {
  /** @type {Days} */
  const days = {};
  for (let day = 1; day <= 7; day += 1) {
    const slots = (latest[day] ?? []).map((slot) => ({ start: slot.start, value: slot.value }));
    days[day] = slots.length ? slots : [{ start: "00:00", value }];
  }
  return days;
}

// Moves the start of a slot, between the slots beside it.
/** @param {Slot[]} slots @param {number} index @param {number} to */
export function moved(slots, index, to) {
  const least = minutes(slots[index - 1].start) + STEP_MIN;
  const most = (index + 1 < slots.length ? minutes(slots[index + 1].start) : DAY_MIN) - STEP_MIN;
  const stepped = STEP_MIN * Math.round(to / STEP_MIN);
  return slots.map((slot, at) => (at === index ? { ...slot, start: text(Math.max(least, Math.min(most, stepped))) } : slot));
}

// Adds a slot in the middle of the longest one.
/** @param {Slot[]} slots @returns {Slot[]} */
export function added(slots) {
  if (slots.length >= MOST) return slots;
  let best = { length: 0, at: 0 };
  slots.forEach((slot, at) => {
    const end = at + 1 < slots.length ? minutes(slots[at + 1].start) : DAY_MIN;
    const length = end - minutes(slot.start);
    if (length > best.length) best = { length, at };
  });
  const start = minutes(slots[best.at].start) + STEP_MIN * Math.round(best.length / 2 / STEP_MIN);
  const value = slots[best.at].value;
  const slot = { start: text(start), value: typeof value === "number" ? value + 2 : value };
  return sorted([...slots, slot]);
}

/** @param {Slot[]} slots */
export function sorted(slots) {
  return [...slots].sort((a, b) => minutes(a.start) - minutes(b.start));
}

// The first day with two slots that begin at the same time: [day, start].
/** @param {Days} days @returns {[string, string] | null} */
export function conflict(days) {
  for (const [day, slots] of Object.entries(days)) {
    const starts = slots.map((slot) => slot.start);
    const twice = starts.find((start, at) => starts.indexOf(start) !== at);
    if (twice) return [day, twice];
  }
  return null;
}

// The body of a request: each day once, or once for each week.
/** @param {Days} a @param {Days} b @param {boolean} alternates */
export function body(a, b, alternates) {
  const of = (days, week) => Object.entries(days).map(([day, slots]) => ({ day: Number(day), week, slots }));
  return alternates ? [...of(a, "A"), ...of(b, "B")] : of(a, "");
}

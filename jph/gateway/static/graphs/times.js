// Moments as people read them, in the language of the page and the time of the browser.
import { t } from "../words.js";

const TONGUE = document.documentElement.lang === "fr" ? "fr" : "en-GB";
const format = (options) => {
  const made = new Intl.DateTimeFormat(TONGUE, options);
  return (ms) => made.format(ms);
};
const clock = { hour: "2-digit", minute: "2-digit" };
const seconds = { ...clock, second: "2-digit" };
export const hourMinute = format(clock);
export const hourSecond = format(seconds);
const hourMilli = format({ ...seconds, fractionalSecondDigits: 3 });
const day = format({ day: "numeric", month: "short" });
const weekday = format({ weekday: "short", day: "numeric" });
const month = format({ month: "short" });
const year = format({ year: "numeric" });
export const fullDay = format({ weekday: "short", day: "numeric", month: "short", year: "numeric" });
const dayHour = format({ day: "numeric", month: "short", year: "numeric", ...clock });

const DAY = 86400e3;

// Returns the texts of the ticks: the date stands under the first and wherever it becomes another.
export function ticks(splits, step) {
  const [fine, coarse] = levels(step);
  let under = "";
  return splits.map((ms) => {
    const below = coarse(ms);
    const text = below && below !== under ? `${fine(ms)}\n${below}` : fine(ms);
    under = below;
    return text;
  });
}

function levels(step) {
  if (step < 1000) return [hourMilli, day];
  if (step < 60e3) return [hourSecond, day];
  if (step < DAY) return [hourMinute, day];
  if (step < 7 * DAY) return [weekday, month];
  if (step < 28 * DAY) return [day, year];
  if (step < 360 * DAY) return [month, year];
  return [year, () => ""];
}

// Returns a stretch of time in as few words as say it.
export function spanText(from, to) {
  const whole = midnight(from) && midnight(to);
  if (whole && to - from < 1.1 * DAY) return fullDay(from);
  if (whole) return `${fullDay(from)} – ${fullDay(to - 1)}`;
  const close = to - from < 600e3 ? hourSecond : hourMinute;
  if (fullDay(from) === fullDay(to)) return `${fullDay(from)}, ${close(from)} – ${close(to)}`;
  return `${dayHour(from)} – ${dayHour(to)}`;
}

// Returns the time that a point is about: a moment, or what it sums up.
export function pointText(at, step) {
  if (step >= 20 * 3600e3) {
    const end = at - 1;
    return step < 1.5 * DAY ? fullDay(end) : `${fullDay(at - step)} – ${fullDay(end)}`;
  }
  if (step >= 60e3) return `${fullDay(at)} ${hourMinute(at - step)} – ${hourMinute(at)}`;
  return `${fullDay(at)} ${hourSecond(at)}`;
}

export function rangeText(state, from, to) {
  const words = {
    "1h": t("Last hour"), "6h": t("Last 6 hours"), "24h": t("Last 24 hours"), "7d": t("Last 7 days"),
    "30d": t("Last 30 days"), "365d": t("Last year"), today: t("Today"), yesterday: t("Yesterday"),
    week: t("This week"), month: t("This month"), year: t("This year"),
  };
  return state.last ? words[state.last] : spanText(from, to);
}

// Returns a moment as <input type="datetime-local"> has it.
export function forInput(ms) {
  const local = new Date(ms - new Date(ms).getTimezoneOffset() * 60e3);
  return local.toISOString().slice(0, 16);
}

function midnight(ms) {
  const then = new Date(ms);
  return then.getHours() === 0 && then.getMinutes() === 0 && then.getSeconds() === 0;
}

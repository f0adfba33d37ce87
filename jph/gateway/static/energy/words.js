// How times, periods and amounts are said.
import { t } from "../words.js";

const LANG = document.documentElement.lang === "fr" ? "fr" : "en-GB";
const format = (options) => new Intl.DateTimeFormat(LANG, { timeZone: "UTC", ...options });
const DAY = format({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
const SHORT = format({ day: "numeric", month: "short" });
const SHORT_YEAR = format({ day: "numeric", month: "short", year: "numeric" });
const MONTH = format({ month: "long", year: "numeric" });
const MONTH_SHORT = format({ month: "short" });
const WEEKDAY = format({ weekday: "short" });

// Days of the API are local days without a time: read as UTC, they stay what they are.
export const date = (day) => new Date(`${day}T00:00:00Z`);

export function label({ span, first, last }, inSentence = false) {
  const begin = inSentence ? (text) => text : capital;
  if (span === "day") return begin((inSentence ? SHORT_YEAR : DAY).format(date(first)));
  if (span === "week") return `${SHORT.format(date(first))} – ${SHORT_YEAR.format(date(last))}`;
  if (span === "month") return begin(MONTH.format(date(first)));
  return first.slice(0, 4);
}

export const dayName = (day) => SHORT_YEAR.format(date(day));

export function barLabel(span, when) {
  if (span === "day") return when.slice(11, 16);
  if (span === "week") return `${WEEKDAY.format(date(when))} ${date(when).getUTCDate()}`;
  if (span === "month") return String(date(when).getUTCDate());
  return MONTH_SHORT.format(date(when));
}

export function barName(span, when) {
  if (span === "day") return when.slice(11, 16);
  if (span === "year") return capital(MONTH.format(date(when)));
  return capital(DAY.format(date(when)));
}

export function period(code) {
  const known = {
    "": t("subscription, taxes"),
    BASE: t("all hours"),
    HC: t("off-peak"),
    HP: t("peak"),
    HN: t("normal"),
    PM: t("moving peak"),
    HCJB: t("blue, off-peak"),
    HPJB: t("blue, peak"),
    HCJW: t("white, off-peak"),
    HPJW: t("white, peak"),
    HCJR: t("red, off-peak"),
    HPJR: t("red, peak"),
    Subscription: t("Subscription"),
    INJECTED: t("fed in"),
    "in no index": t("in no index"),
  };
  return known[code] ?? code;
}

const ORDER = ["", "HCJB", "HPJB", "HCJW", "HPJW", "HCJR", "HPJR", "HC", "HP", "HN", "PM", "BASE"];
export const inOrder = (codes) => [...codes].sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));

export function money(amount, currency) {
  return new Intl.NumberFormat(LANG, { style: "currency", currency: currency || "EUR" }).format(amount);
}

export function minutes(number) {
  const whole = Math.round(number);
  if (whole < 60) return `${whole} min`;
  return `${Math.floor(whole / 60)} h ${String(whole % 60).padStart(2, "0")}`;
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}

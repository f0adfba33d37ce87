// Leaving the house: from now or a moment on, until the rooms must be warm again.
import { now } from "../clock.js";
import { at, write } from "../dom.js";
import { clock } from "../figures.js";
import { t } from "../words.js";
import { change } from "./undo.js";

const FRIDAY = 5;
const EVENING = 18;
const MINUTE_MS = 60_000;

export function leaving(plan, after) {
  const fields = at("away-form").elements;
  at("leave").addEventListener("click", () => {
    if (plan()?.away) change("DELETE", "/api/plan/away", undefined, t("Welcome home"), after);
    else at("away").showModal();
  });
  at("weekend").addEventListener("click", () => {
    const [start, end] = weekend(new Date(now()));
    fields.start.value = start <= new Date(now()) ? "" : local(start);
    fields.until.value = local(end);
  });
  at("away-yes").addEventListener("click", async () => {
    const start = moment(fields.start.value);
    const until = moment(fields.until.value);
    if (until !== null && until <= (start ?? now())) {
      write(at("away-answer"), t("The return must be after the start"), "bad");
      return;
    }
    const value = Number(fields.value.value) || fields.value.value;
    const body = { value, ...(start ? { start } : {}), ...(until ? { until } : {}) };
    const text = until ? t("Away until {until}", { until: clock(until) }) : t("Away until you are home");
    if (await change("PUT", "/api/plan/away", body, text, after)) at("away").close();
  });
}

// Friday 18:00 to Sunday 18:00 of this week, or of the next one when this Sunday is over.
function weekend(today) {
  const start = new Date(today);
  const days = (FRIDAY - today.getDay() + 7) % 7;
  const inside = today.getDay() === 6 || (today.getDay() === 0 && today.getHours() < EVENING);
  start.setDate(today.getDate() + (inside ? days - 7 : days));
  start.setHours(EVENING, 0, 0, 0);
  const end = new Date(start);
  end.setDate(start.getDate() + 2);
  return [start, end];
}

function local(date) {
  return new Date(date.getTime() - date.getTimezoneOffset() * MINUTE_MS).toISOString().slice(0, 16);
}

function moment(text) {
  return text ? new Date(text).getTime() : null;
}

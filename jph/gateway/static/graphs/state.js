// What a graph shows, as the address of the page says it: everything is in there, so that an
// address can be kept, sent, and gone back to.

const HOUR = 3600e3;
export const DAY = 24 * HOUR;
export const LASTS = { "1h": HOUR, "6h": 6 * HOUR, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY, "365d": 365 * DAY };
export const CALENDAR = ["today", "yesterday", "week", "month", "year"];
const STATISTICS = ["mean", "median", "mode", "min", "max", "stdev"];
export const LEVELS = ["raw", "10min", "hour", "day"];
const AGAINST = ["day", "week", "year"];
export const MOST_CODES = 12;
export const SHORTEST = 1000; // ms; closer than this there is nothing to see
export const LONGEST = 50 * 366 * DAY;

const CODE = /^[0-9A-Z]{2}$/;

// Returns the state of an address; what it does not say, or says wrongly, is as usual.
export function parse(query, usual = "24h") {
  const said = new URLSearchParams(query);
  const codes = (said.get("codes") ?? "").split(",").filter((code) => CODE.test(code));
  const [from, to] = [said.get("from"), said.get("to")].map((text) => Date.parse(text ?? ""));
  const fixed = to - from >= SHORTEST && to - from <= LONGEST;
  const last = said.get("last");
  return {
    codes: [...new Set(codes)].slice(0, MOST_CODES),
    hidden: (said.get("hidden") ?? "").split(",").filter((code) => CODE.test(code)),
    last: fixed ? "" : last in LASTS || CALENDAR.includes(last) ? last : usual,
    from: fixed ? from : 0,
    to: fixed ? to : 0,
    every: among(said.get("every"), LEVELS, ""),
    show: among(said.get("show"), STATISTICS, "mean"),
    band: said.get("band") !== "no",
    split: said.get("split") === "yes",
    against: among(said.get("against"), AGAINST, ""),
  };
}

// Returns the address of a state, without what is as usual.
export function format(state) {
  const said = new URLSearchParams();
  const say = (name, value, usual = "") => value !== usual && said.set(name, value);
  say("codes", state.codes.join(","));
  say("hidden", state.hidden.filter((code) => state.codes.includes(code)).join(","));
  if (state.last) say("last", state.last);
  else {
    say("from", moment(state.from));
    say("to", moment(state.to));
  }
  say("every", state.every);
  say("show", state.show, "mean");
  say("band", state.band ? "" : "no");
  say("split", state.split ? "yes" : "");
  say("against", state.against);
  return said.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
}

// Returns from when to when a state is about, and whether that goes on with the time.
export function resolve(state, now) {
  if (!state.last) return { from: state.from, to: state.to, live: false };
  if (state.last in LASTS) return { from: now - LASTS[state.last], to: now, live: true };
  const [from, to] = calendar(state.last, new Date(now));
  return { from, to, live: state.last !== "yesterday" };
}

// Returns the same stretch of time a day, week or year before, by the calendar.
export function before({ from, to }, against) {
  const start = new Date(from);
  if (against === "day") start.setDate(start.getDate() - 1);
  else if (against === "week") start.setDate(start.getDate() - 7);
  else start.setFullYear(start.getFullYear() - 1);
  const shift = from - start.getTime();
  return { from: from - shift, to: to - shift, shift };
}

function calendar(word, today) {
  const start = new Date(today.getFullYear(), today.getMonth(), today.getDate());
  const end = new Date(start);
  if (word === "yesterday") start.setDate(start.getDate() - 1);
  else if (word === "today") end.setDate(end.getDate() + 1);
  else if (word === "week") {
    start.setDate(start.getDate() - ((start.getDay() + 6) % 7)); // weeks begin on Monday
    end.setTime(start.getTime());
    end.setDate(end.getDate() + 7);
  } else if (word === "month") {
    start.setDate(1);
    end.setFullYear(start.getFullYear(), start.getMonth() + 1, 1);
  } else {
    start.setMonth(0, 1);
    end.setFullYear(start.getFullYear() + 1, 0, 1);
  }
  return [start.getTime(), end.getTime()];
}

function moment(ms) {
  return new Date(Math.round(ms)).toISOString().replace(/(:00)?\.000Z$/, "Z");
}

function among(word, known, usual) {
  return known.includes(word) ? word : usual;
}

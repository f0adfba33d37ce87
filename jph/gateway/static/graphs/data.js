// Histories as they are needed: first what is seen, then its neighbours, so that panning draws what
// is already here. One question at a time; a newer one takes the place of an older one.
import { ask } from "../ask.js";
import { t } from "../words.js";
import { curveOf, cut, joined } from "./series.js";

const RETRY_MS = 3000;
const KEPT = 3; // so many times what is seen is kept on each side

export class Data {
  // `changed()` is called when there is more to draw, `say(text)` with what is wrong, "" if nothing.
  constructor({ changed, say }) {
    this.curves = new Map(); // by code
    this.changed = changed;
    this.say = say;
    this.asked = 0; // counts requests; only the last one counts
    this.busy = false;
  }

  // Has what is seen between two moments here, and then what lies beside it.
  // `wanted`: {codes, from, to, points, every, show}
  async load(wanted, { again = false } = {}) {
    const mine = ++this.asked;
    clearTimeout(this.retry);
    this.forget(wanted);
    const missing = again ? wanted.codes : wanted.codes.filter((code) => !this.has(code, wanted));
    this.wanted = wanted;
    if (missing.length && !(await this.fetch(mine, { ...wanted, codes: missing }, again))) return;
    if (mine !== this.asked) return;
    await this.neighbours(mine, wanted);
  }

  // Says whether what is seen is here, and as fine as the gateway would send it.
  has(code, { from, to, points, every, show }) {
    const curve = this.curves.get(code);
    if (!curve || curve.from > from || curve.to < Math.min(to, curve.now)) return false;
    return curve.length === to - from && curve.points === points && curve.asked === `${every} ${show}`;
  }

  async fetch(mine, wanted, fresh) {
    this.busy = true;
    try {
      const answer = await ask("GET", address(wanted));
      if (mine !== this.asked) return false;
      const length = wanted.to - wanted.from;
      for (const series of answer.series) this.take(series, answer, { ...wanted, length }, fresh);
      this.say("");
      this.changed();
      return true;
    } catch (error) {
      if (mine !== this.asked) return false;
      this.say(error.message);
      this.retry = setTimeout(() => this.load(this.wanted, { again: true }), RETRY_MS);
      return false;
    } finally {
      if (mine === this.asked) this.busy = false;
    }
  }

  // Has the time before and after what is seen here too, as fine as that.
  async neighbours(mine, { codes, from, to, points, show, every }) {
    const length = to - from;
    for (const side of [{ from: from - length, to: from }, { from: to, to: to + length }]) {
      const levels = new Map();
      for (const code of codes) {
        const curve = this.curves.get(code);
        if (!curve || (curve.from <= side.from && curve.to >= Math.min(side.to, curve.now))) continue;
        if (side.from >= curve.now) continue;
        levels.set(curve.every, [...(levels.get(curve.every) ?? []), code]);
      }
      for (const [level, some] of levels) {
        const wanted = { codes: some, ...side, points, show, every: level };
        try {
          const answer = await ask("GET", address(wanted));
          if (mine !== this.asked) return;
          for (const series of answer.series) this.take(series, answer, { ...wanted, every, length, beside: true });
        } catch {
          return; // reported when it is needed
        }
      }
      if (levels.size) this.changed();
    }
  }

  take(series, answer, { points, every, show, length, beside }, fresh = false) {
    const known = this.curves.get(series.code);
    const curve = curveOf(series, answer.from, Math.min(answer.to, answer.now));
    const whole = (!fresh && known && joined(known, curve)) || curve;
    whole.asked = `${every} ${show}`;
    whole.points = points;
    whole.length = length;
    whole.now = answer.now;
    if (!beside || whole !== curve) this.curves.set(series.code, whole); // what does not fit is no use
  }

  // Drops what is far away, and what is no longer drawn.
  forget({ codes, from, to }) {
    const far = KEPT * (to - from);
    for (const [code, curve] of this.curves) {
      if (!codes.includes(code)) this.curves.delete(code);
      else if (curve.from > to || curve.to < from) this.curves.delete(code);
      else this.curves.set(code, cut(curve, from - far, to + far));
    }
  }

  close() {
    this.asked++;
    clearTimeout(this.retry);
  }
}

// Returns the address of a history, the same for a graph and for a program.
export function address({ codes, from, to, points, every, show }) {
  const query = new URLSearchParams({
    codes: codes.join(","), from: String(Math.max(0, Math.floor(from))), to: String(Math.ceil(to)), points: String(Math.round(points)), statistic: show,
  });
  if (every) query.set("every", every);
  return `/api/history?${query}`;
}

export function levelWord(curve) {
  if (curve.every === "raw") return curve.step ? t("readings, joined") : t("every reading");
  return { "10min": t("10 minutes"), hour: t("hours"), day: t("days") }[curve.every];
}

// One codifier's history as columns: joined with more, continued live, cut where nothing is known.
// Pure: nothing here asks or draws.

// Returns a curve of an answer's series that is known from `from` to `to`.
export function curveOf(series, from, to) {
  const { t, v } = series;
  return {
    ...series, from, to,
    lo: series.lo ?? v, hi: series.hi ?? v,
    t, v, gaps: series.gaps ?? [], changes: series.changes ?? [], count: 1,
  };
}

// Returns two curves as one if they are as fine and have no unknown time between them, else null.
export function joined(one, other) {
  const [left, right] = one.from <= other.from ? [one, other] : [other, one];
  if (left.every !== right.every || left.step !== right.step || right.from > left.to) return null;
  const end = right.t.length ? below(left.t, right.t[0]) : left.t.length;
  const both = (a, b) => a.slice(0, end).concat(b);
  return {
    ...right,
    from: left.from, to: Math.max(left.to, right.to),
    t: both(left.t, right.t), v: both(left.v, right.v),
    lo: both(left.lo, right.lo), hi: both(left.hi, right.hi),
    gaps: unique([...left.gaps, ...right.gaps]),
    changes: unique([...left.changes, ...right.changes]),
  };
}

// Returns the part of a curve between two moments, and what borders on it.
export function cut(curve, from, to) {
  if (curve.from >= from && curve.to <= to) return curve;
  const start = Math.max(0, below(curve.t, from) - 1);
  const end = Math.min(curve.t.length, below(curve.t, to) + 1);
  const part = (column) => column.slice(start, end);
  return {
    ...curve, from: Math.max(from, curve.from), to: Math.min(to, curve.to),
    t: part(curve.t), v: part(curve.v), lo: part(curve.lo), hi: part(curve.hi),
  };
}

// Adds a reading that has just come. A point that sums up a time takes it in.
export function append(curve, at, value) {
  const last = curve.t.length - 1;
  if (last >= 0 && at <= curve.t[last]) return false;
  if (curve.step && last >= 0 && Math.floor((at - 1) / curve.step) === Math.floor((curve.t[last] - 1) / curve.step)) {
    // The mean of a bucket that runs comes with the next reading of the history.
    if (curve.every === "raw") {
      curve.v[last] += (value - curve.v[last]) / ++curve.count;
    }
    curve.lo[last] = Math.min(curve.lo[last], value);
    curve.hi[last] = Math.max(curve.hi[last], value);
    curve.t[last] = at;
  } else if (curve.every === "raw") {
    curve.count = 1;
    curve.t.push(at);
    curve.v.push(value);
    if (curve.lo !== curve.v) {
      curve.lo.push(value);
      curve.hi.push(value);
    }
  }
  curve.to = Math.max(curve.to, at);
  return true;
}

// Returns the columns [t, v, hi, lo] with a null wherever the line must not go on: nothing came for
// longer than is usual, or readings are known to be lost between two points.
export function broken(curve) {
  const usual = patience(curve);
  const exact = curve.step === 0;
  const { t, v, lo, hi } = curve;
  const columns = [[], [], [], []];
  let gap = 0;
  for (let at = 0; at < t.length; at++) {
    if (at > 0) {
      while (gap < curve.gaps.length && curve.gaps[gap][1] <= t[at - 1]) gap++;
      const lost = exact && gap < curve.gaps.length && curve.gaps[gap][0] >= t[at - 1] && curve.gaps[gap][1] <= t[at];
      if (t[at] - t[at - 1] > usual || lost) add(columns, (t[at] + t[at - 1]) / 2, null, null, null);
    }
    add(columns, t[at], v[at], hi[at], lo[at]);
  }
  return columns;
}

// Returns how far apart two points may be (ms) with nothing missing between them.
function patience({ expect, step }) {
  return 1.5 * Math.max((expect ?? 60) * 1000, step);
}

// Returns last, least, mean and most of what lies between two moments; null if nothing does.
export function summary(curve, from, to) {
  const start = below(curve.t, from);
  const end = below(curve.t, to + 1);
  let [least, most, sum, many] = [Infinity, -Infinity, 0, 0];
  for (let at = start; at < end; at++) {
    if (curve.lo[at] < least) least = curve.lo[at];
    if (curve.hi[at] > most) most = curve.hi[at];
    if (curve.v[at] === null) continue;
    sum += curve.v[at];
    many += 1;
  }
  if (!many) return null;
  return { last: curve.v[end - 1], least, most, mean: sum / many };
}

// Returns the place of the point that is nearest to a moment, -1 if the curve is not drawn there.
export function nearest(curve, at) {
  const place = below(curve.t, at);
  const candidates = [place - 1, place].filter((each) => each >= 0 && each < curve.t.length);
  const usual = patience(curve);
  let best = -1;
  for (const each of candidates) {
    const far = Math.abs(curve.t[each] - at);
    if (far <= usual && (best < 0 || far < Math.abs(curve.t[best] - at))) best = each;
  }
  return best;
}

// Returns how many of sorted numbers are below a number.
export function below(sorted, number) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

function add(columns, ...values) {
  for (let at = 0; at < values.length; at++) columns[at].push(values[at]);
}

function unique(rows) {
  const known = new Map(rows.map((row) => [row.join(), row]));
  return [...known.values()].sort((a, b) => a[0] - b[0]);
}

// What fingers, mouse and keys do to the time that is seen. Everything ends in `move(from, to)`,
// at most once a frame, and `settle()` when it is over for a moment.
import { now } from "../clock.js";
import { LONGEST, SHORTEST } from "./state.js";

const SETTLE_MS = 180;
const STEP = 1 / 8; // of what is seen, for an arrow key
const WHEEL = 0.0016;

// `view()` is what is seen, `move` shows something else, `settle` has what is missing loaded.
export class Gestures {
  constructor({ view, move, settle, back }) {
    this.view = view;
    this.move = move;
    this.settle = settle;
    this.back = back;
    this.wanted = null;
    this.frame = 0;
  }

  // Shows another time in the next frame; of many wishes before it, the last.
  show(from, to) {
    this.wanted = bounded(from, to);
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.move(...this.wanted);
      this.wanted = null;
    });
    clearTimeout(this.timer);
    this.timer = setTimeout(this.settle, SETTLE_MS);
  }

  now() {
    const { from, to } = this.view();
    return this.wanted ?? [from, to];
  }

  pan(share) {
    const [from, to] = this.now();
    const shift = share * (to - from);
    this.show(from + shift, to + shift);
  }

  // Shows `factor` times as much time; what is at `share` of the width stays there.
  zoom(factor, share = 0.5) {
    const [from, to] = this.now();
    const length = Math.min(LONGEST, Math.max(SHORTEST, factor * (to - from)));
    const start = from + share * (to - from - length);
    this.show(start, start + length);
  }

  // Listens on a panel: `over` is the element that lies on the lines.
  wire(over) {
    over.addEventListener("wheel", (event) => this.wheel(event, over), { passive: false });
    over.addEventListener("dblclick", () => this.zoom(2));
    over.addEventListener("pointerdown", (event) => this.down(event, over), true);
    over.addEventListener("mousedown", (event) => {
      if (event.shiftKey || event.button === 1) event.stopImmediatePropagation();
    }, true);
    const touches = new Map();
    const track = (event) => this.touch(event, over, touches);
    for (const name of ["touchstart", "touchmove", "touchend", "touchcancel"]) {
      over.addEventListener(name, track, { passive: false });
    }
  }

  wheel(event, over) {
    event.preventDefault();
    const { left, width } = over.getBoundingClientRect();
    const scale = event.deltaMode === 1 ? 20 : 1;
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) {
      this.pan(((event.deltaX || event.deltaY) * scale) / width);
    } else {
      const factor = Math.exp(Math.min(300, Math.max(-300, event.deltaY * scale)) * WHEEL);
      this.zoom(factor, (event.clientX - left) / width);
    }
  }

  // With Shift or the wheel pressed the mouse takes the time along; without, uPlot marks a part.
  down(event, over) {
    if (event.pointerType === "touch" || !(event.shiftKey || event.button === 1)) return;
    event.preventDefault();
    const { width } = over.getBoundingClientRect();
    const [from, to] = this.now();
    const start = event.clientX;
    over.setPointerCapture(event.pointerId);
    const drag = (moved) => {
      const shift = ((start - moved.clientX) / width) * (to - from);
      this.show(from + shift, to + shift);
    };
    over.addEventListener("pointermove", drag);
    over.addEventListener("lostpointercapture", () => over.removeEventListener("pointermove", drag), { once: true });
  }

  // One finger sideways takes the time along, two spread it. Up and down scrolls the page.
  touch(event, over, touches) {
    const { left, width } = over.getBoundingClientRect();
    const places = [...event.touches].map((touch) => (touch.clientX - left) / width);
    if (event.type !== "touchmove") {
      touches.places = places;
      touches.time = this.now();
      touches.moved = false;
      return;
    }
    const [from, to] = touches.time;
    const begun = touches.places;
    if (begun.length !== places.length || !places.length) return;
    if (places.length === 1) {
      const shift = begun[0] - places[0];
      if (!touches.moved && Math.abs(shift) * width < 8) return;
      touches.moved = true;
      if (event.cancelable) event.preventDefault();
      this.show(from + shift * (to - from), to + shift * (to - from));
    } else {
      event.preventDefault();
      const at = (share) => from + share * (to - from);
      const spread = Math.abs(places[0] - places[1]) || 0.01;
      const length = (Math.abs(begun[0] - begun[1]) * (to - from)) / spread;
      const held = at((begun[0] + begun[1]) / 2);
      const start = held - ((places[0] + places[1]) / 2) * length;
      this.show(start, start + length);
    }
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const does = {
      ArrowLeft: () => this.pan(event.shiftKey ? -1 : -STEP),
      ArrowRight: () => this.pan(event.shiftKey ? 1 : STEP),
      "+": () => this.zoom(1 / 1.5), "=": () => this.zoom(1 / 1.5), "-": () => this.zoom(1.5),
      PageUp: () => this.pan(-1), PageDown: () => this.pan(1), Escape: () => this.back(),
    }[event.key];
    if (!does) return;
    event.preventDefault();
    does();
  }
}

function bounded(from, to) {
  const length = Math.min(LONGEST, Math.max(SHORTEST, to - from));
  const start = Math.max(0, Math.min(from, now() + LONGEST - length));
  return [start, start + length];
}

// The choice of the time: what is usual, from when to when, one step back or forth.
import { at, make, put } from "../dom.js";
import { t } from "../words.js";
import { CALENDAR, LASTS, LONGEST, SHORTEST } from "./state.js";
import { forInput, rangeText } from "./times.js";

// `graph` shows the time, `choose(more)` changes the state, `close()` hides the sheet.
export function timePicker({ graph, choose, close }) {
  const quick = [...Object.keys(LASTS), ...CALENDAR].map((last) => {
    const button = make("button", { type: "button", dataset: { last } }, rangeText({ last }));
    button.addEventListener("click", () => {
      choose({ last, from: 0, to: 0 });
      close();
    });
    return button;
  });
  at("quick").append(...quick);
  at("between").addEventListener("submit", (event) => {
    event.preventDefault();
    const [from, to] = [at("from"), at("to")].map((input) => new Date(input.value).getTime());
    const wrong = to - from >= SHORTEST && to - from <= LONGEST ? "" : t("The end must be after the beginning.");
    at("to").setCustomValidity(wrong);
    if (!at("between").reportValidity()) return;
    choose({ last: "", from, to });
    close();
  });
  at("to").addEventListener("input", () => at("to").setCustomValidity(""));
  at("earlier").addEventListener("click", () => graph.gestures.pan(-1));
  at("later").addEventListener("click", () => graph.gestures.pan(1));
  at("wider").addEventListener("click", () => graph.gestures.zoom(2));
  at("closer").addEventListener("click", () => graph.gestures.zoom(1 / 2));
  return function describe(state, { from, to }) {
    put(at("range-text"), rangeText(state, from, to));
    for (const button of quick) button.setAttribute("aria-pressed", String(button.dataset.last === state.last));
    at("from").value = forInput(from);
    at("to").value = forInput(to);
  };
}

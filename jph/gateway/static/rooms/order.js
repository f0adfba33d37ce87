// The rooms in an order of one's own, kept in a cookie so that the page comes in this order.
import { at } from "../dom.js";

const YEAR_S = 31_536_000;

export function arranging() {
  const button = at("arrange");
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    for (const tile of document.querySelectorAll(".tile")) {
      tile.querySelector(".moves").hidden = !on;
      tile.querySelector(".step").hidden = on;
    }
  });
  document.addEventListener("click", (event) => {
    const by = event.target.closest("[data-move]");
    if (by) move(by.closest(".tile"), Number(by.dataset.move), by);
  });
}

function move(tile, by, button) {
  const other = by < 0 ? tile.previousElementSibling : tile.nextElementSibling;
  if (!other) return;
  if (by < 0) other.before(tile);
  else other.after(tile);
  button.focus();
  const codes = [...document.querySelectorAll(".tile")].map((each) => each.dataset.room);
  document.cookie = `rooms=${codes.join(".")}; Path=/; Max-Age=${YEAR_S}; SameSite=Lax`;
}

// Changes of the plan: each says what it did, and can be taken back where it was made.
import { ask } from "../ask.js";
import { at, make, toast } from "../dom.js";
import { t } from "../words.js";

const STAYS_MS = 8000;

/**
 * Sends a change; `text` says what it did, `after` draws the page again. Returns whether it is done.
 * @param {string} method
 * @param {string} path
 * @param {unknown} body
 * @param {string} text
 * @param {() => unknown} after
 * @param {boolean} [undoable]
 */
export async function change(method, path, body, text, after, undoable = true) {
  try {
    await ask(method, path, body);
  } catch (error) {
    toast(error.message, "bad");
    await after();
    return false;
  }
  await after();
  if (undoable) said(text, after);
  else toast(text);
  return true;
}

function said(text, after) {
  for (const old of document.querySelectorAll(".toast.undo")) old.remove();
  const button = make("button", { type: "button" }, t("Undo"));
  const note = make("p.toast.undo", {}, make("span.grow", {}, text), button);
  button.addEventListener("click", () => {
    note.remove();
    change("POST", "/api/plan/undo", undefined, t("Taken back"), after, false);
  });
  at("toasts").append(note);
  setTimeout(() => note.remove(), STAYS_MS);
}

// The login form.
import { ask } from "./ask.js";
import { BASE, at } from "./dom.js";

const form = at("login");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  at("said").hidden = true;
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    await ask("POST", "/api/login", Object.fromEntries(new FormData(form)));
    location.assign(BASE + form.dataset.target);
  } catch (error) {
    at("said").textContent = error.message;
    at("said").hidden = false;
    form.elements.password.select();
  } finally {
    button.disabled = false;
  }
});

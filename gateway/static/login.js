// The login form.
import { ask } from "./ask.js";

const form = document.getElementById("login");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = document.getElementById("said");
  said.textContent = "";
  try {
    await ask("POST", "/api/login", Object.fromEntries(new FormData(form)));
    location.assign(form.dataset.target);
  } catch (error) {
    said.textContent = error.message;
    form.elements.password.select();
  }
});

// Commands: asked for, confirmed, sent, and the node's own answer shown.
import { ask } from "./ask.js";

const EXPLAIN = {
  P: "It is asked to answer; nothing changes.",
  S: "It will send its values again.",
  H: "It will send no values until it is started again.",
};

let path = ""; // what the open dialog is about

export function wire(root) {
  root.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-flag]");
    if (button) open(button.dataset, button.closest("[data-code]").dataset.code);
  });
  at("yes").addEventListener("click", send);
}

function open({ flag, verb, name }, code) {
  const word = verb[0].toUpperCase() + verb.slice(1);
  path = `/sensormsg/${encodeURIComponent(code)}/${flag}`;
  at("question").textContent = `${word} ${code}, ${name}?`;
  at("explain").textContent = EXPLAIN[flag];
  at("no").textContent = "Cancel";
  at("yes").textContent = word;
  at("yes").hidden = false;
  say("");
  at("confirm").showModal();
}

async function send() {
  const about = path;
  at("yes").hidden = true;
  at("no").textContent = "Close";
  at("no").focus();
  say("waiting for its answer…");
  const { text, good } = await post(about);
  if (about === path) say(text, good ? "good" : "bad");
}

// Returns what was answered, in words, whatever happens.
async function post(address) {
  try {
    const answer = await ask("POST", address);
    return { text: answer.text, good: answer.answered };
  } catch (error) {
    return { text: error.message, good: false };
  }
}

function say(text, mood) {
  at("answer").textContent = text;
  if (mood) at("answer").dataset.mood = mood;
  else delete at("answer").dataset.mood;
}

function at(id) {
  return document.getElementById(id);
}

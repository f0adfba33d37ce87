// Cameras: each picture is asked for after the one before, so that a slow line skips, never lags.
import { now } from "./clock.js";
import { BASE, at, mark, put, write } from "./dom.js";
import { t } from "./words.js";

const RETRY_MS = 2000;
const LEAST_MS = 40;
const PATIENCE_MS = 20000;
const LANG = document.documentElement.lang === "fr" ? "fr" : "en-GB";
const TIME = new Intl.DateTimeFormat(LANG, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const links = new Map();

for (const place of document.querySelectorAll("[data-camera]")) start(place);

function start(place) {
  const part = (name) => place.querySelector(`[data-part="${name}"]`);
  const code = place.dataset.camera;
  const canvas = place.querySelector("canvas");
  let paused = false;
  let number = 0;
  part("pause").addEventListener("click", () => {
    paused = !paused;
    part("pause").setAttribute("aria-pressed", String(paused));
    put(part("pause"), paused ? t("Go on") : t("Pause"));
  });
  part("full").addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : part("frame").requestFullscreen?.()));
  run();

  async function run() {
    for (;;) {
      if (paused || document.hidden) {
        await rest(300);
        continue;
      }
      try {
        number = await next();
        write(part("said"), "", "");
        link(code, true);
        await rest(LEAST_MS);
      } catch (error) {
        write(part("said"), t("No picture: {why}", { why: error.message }), "bad");
        link(code, false);
        await rest(RETRY_MS);
      }
      mark(place, "away", part("said").textContent ? "yes" : "");
    }
  }

  async function next() {
    let answer;
    try {
      answer = await fetch(`${BASE}/api/camera/${encodeURIComponent(code)}?after=${number}`, { signal: AbortSignal.timeout(PATIENCE_MS) });
    } catch {
      throw new Error(t("the gateway does not answer"));
    }
    if (!answer.ok) throw new Error(t((await answer.json().catch(() => null))?.error ?? "the gateway failed"));
    if (answer.status === 204) throw new Error(t(answer.headers.get("x-trouble") ?? ""));
    const picture = await createImageBitmap(await answer.blob()).catch(() => {
      throw new Error(t("it cannot be shown"));
    });
    if (canvas.width !== picture.width || canvas.height !== picture.height) Object.assign(canvas, { width: picture.width, height: picture.height });
    canvas.getContext("2d").drawImage(picture, 0, 0);
    picture.close();
    put(part("when"), TIME.format(now()));
    return Number(answer.headers.get("x-picture")) || 0;
  }
}

function link(code, yes) {
  links.set(code, yes);
  const any = [...links.values()].some(Boolean);
  at("link").hidden = false;
  write(at("link"), any ? t("live") : t("reconnecting"), any ? "good" : "bad");
}

function rest(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// The stream of changes. EventSource reconnects by itself with the last id it saw; what it gives
// up on (an answer that is no stream, while the gateway restarts) is opened again here.

import { BASE } from "./dom.js";

const RETRY_MS = 3000;

/**
 * @param {string} url
 * @param {{onLink: (word: string, mood: string) => void, onBoard: (board: BoardEvent) => void}} handlers
 */
export function follow(url, { onLink, onBoard }) {
  const source = new EventSource(BASE + url);
  source.addEventListener("open", () => onLink("live", "good"));
  source.addEventListener("board", (event) => onBoard(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    onLink("reconnecting", "bad");
    if (source.readyState === EventSource.CLOSED) {
      setTimeout(() => follow(url, { onLink, onBoard }), RETRY_MS);
    }
  });
}

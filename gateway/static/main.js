// Starts the page: the stream feeds the paint, the buttons ask.
import { follow } from "./live.js";
import { paint, say, tick } from "./paint.js";
import { relate } from "./history.js";
import { wire } from "./command.js";

wire(document);
follow("/events", {
  onLink: say,
  onBoard(board) {
    if (board.layout !== document.body.dataset.layout) {
      location.reload();
      return;
    }
    paint(board);
    if (board.history) relate(board.history);
  },
});
setInterval(tick, 1000);

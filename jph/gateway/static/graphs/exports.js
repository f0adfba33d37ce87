// What is seen, as a file: a picture of the panels with their names, or numbers for a spreadsheet.
import { BASE } from "../dom.js";
import { t } from "../words.js";
import { colours } from "./plot.js";
import { spanText } from "./times.js";

const MARGIN = 16;
const LINE = 20;

// Returns the address of the numbers: as fine as drawn, or every reading.
export function csvAddress(graph, every) {
  const { from, to } = graph.view;
  const query = new URLSearchParams({ codes: graph.state.codes.join(","), from: String(Math.floor(from)), to: String(Math.ceil(to)), every });
  return `${BASE}/api/history.csv?${query}`;
}

// Returns how fine the lines are drawn; the finest where they differ.
export function drawnLevel(graph) {
  const levels = ["raw", "10min", "hour", "day"];
  const drawn = graph.lines.map((line) => line.curve?.every).filter(Boolean);
  return levels.find((level) => drawn.includes(level)) ?? "raw";
}

// Has the browser save a picture.
export async function savePicture(graph, title) {
  const canvas = picture(graph, title);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  save(URL.createObjectURL(blob), `jph-${graph.state.codes.join("-")}.png`);
}

export function save(address, name) {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  if (address.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(address), 10e3);
}

function picture(graph, title) {
  const paint = colours();
  const ratio = devicePixelRatio;
  const canvases = graph.plots.map((plot) => plot.ctx.canvas);
  const width = Math.max(...canvases.map((each) => each.width));
  const names = graph.lines.filter((line) => line.shown);
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d");
  const rows = layout(names, pen, width / ratio - 2 * MARGIN);
  const head = (MARGIN + 2 * LINE + rows.length * LINE + 8) * ratio;
  canvas.width = width;
  canvas.height = head + canvases.reduce((sum, each) => sum + each.height, 0) + MARGIN * ratio;
  pen.fillStyle = paint.card;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.save();
  pen.scale(ratio, ratio);
  heading(pen, title, spanText(graph.view.from, graph.view.to), paint);
  for (const [at, row] of rows.entries()) {
    for (const { line, x } of row) name(pen, line, x, MARGIN + (2.6 + at) * LINE, paint);
  }
  pen.restore();
  let y = head;
  for (const each of canvases) {
    pen.drawImage(each, 0, y);
    y += each.height;
  }
  return canvas;
}

function heading(pen, title, span, { ink, soft }) {
  pen.fillStyle = ink;
  pen.font = "600 16px system-ui, sans-serif";
  pen.fillText(title || t("Graph"), MARGIN, MARGIN + 14);
  pen.fillStyle = soft;
  pen.font = "13px system-ui, sans-serif";
  pen.fillText(span, MARGIN, MARGIN + 14 + LINE);
}

// Puts the names into as many rows as they need.
function layout(lines, pen, width) {
  pen.font = "13px system-ui, sans-serif";
  const rows = [[]];
  let x = 0;
  for (const line of lines) {
    const wide = pen.measureText(`${line.code} ${line.label}`).width + 40;
    if (x && x + wide > width) {
      rows.push([]);
      x = 0;
    }
    rows.at(-1).push({ line, x: MARGIN + x });
    x += wide;
  }
  return rows;
}

function name(pen, line, x, y, { ink, tones }) {
  pen.strokeStyle = tones[line.tone];
  pen.lineWidth = 3;
  pen.setLineDash(line.dashed ? [5, 3] : []);
  pen.beginPath();
  pen.moveTo(x, y - 4);
  pen.lineTo(x + 18, y - 4);
  pen.stroke();
  pen.fillStyle = ink;
  pen.font = "13px system-ui, sans-serif";
  pen.fillText(`${line.code} ${line.label}`, x + 24, y);
}

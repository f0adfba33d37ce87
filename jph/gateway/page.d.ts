// Types of the pages for `tsc --checkJs`; no browser loads this file.

/** An element of a template; the template decides of which sort it is. */
interface PageElement extends HTMLElement {
  value: any;
  checked: boolean;
  disabled: boolean;
  open: boolean;
  href: string;
  scope: string;
  elements: any;
  tBodies: HTMLCollectionOf<HTMLTableSectionElement>;
  returnValue: string;
  showModal(): void;
  close(): void;
  reset(): void;
  setCustomValidity(text: string): void;
  reportValidity(): boolean;
}

interface ParentNode {
  querySelector(selectors: string): PageElement | null;
  querySelectorAll(selectors: string): NodeListOf<PageElement>;
}

interface EventTarget {
  closest(selectors: string): PageElement | null;
}

interface Window {
  uPlot: any;
}

/** A codifier as the stream and the API send it (jph/gateway/live/board.py). */
interface BoardRow {
  state: string;
  value?: string;
  unit?: string;
  number?: number;
  words?: boolean;
  age?: number;
  losses?: number;
  quality?: string;
  order?: string;
  shed?: boolean;
  limit?: number;
  level?: string;
  trip?: number;
  host?: string;
  wire?: number;
}

/** An event of the stream. */
interface BoardEvent {
  layout: string;
  rows: Record<string, BoardRow>;
  summary: any;
  unknown: Unknown[];
  history?: any;
}

/** A heater of `/api/heaters` and `/api/house`. */
interface HeaterNow {
  codifier: string;
  room: string;
  name: string;
  order: string | null;
  shed: boolean | null;
  until: number | null;
  then: string | null;
  reason: string;
  why: string[];
}

/** Something that is not known of the house (jph/gateway/view/unknown.py). */
interface Unknown {
  part: string;
  code: string;
  phases: number[];
  text: string;
  values: Record<string, string>;
  codes: string[];
}

/**
 * What the widget adds to rendered Markdown: frames and copy buttons for code, scrolling tables, marks for sources.
 * Works on nodes that are inert already and builds its own by createElement, never from HTML.
 */
import { h, icon } from "./element";
import { fill, texts } from "./texts";
import type { Citation } from "./wire";

const COPIED_MS = 1_600;

export function codeBlock(text: string, lang: string): { frame: HTMLElement; part: HTMLElement } {
  const part = codePart(text);
  const code = h("code", {}, part);
  const copy = h("button", { class: "copy", type: "button", "aria-label": texts.copyCode }, icon("copy"), h("span", {}, texts.copy));
  copy.addEventListener("click", () => void onCopy(copy, code.textContent));
  const bar = h("div", { class: "code-bar" }, h("span", { class: "lang" }, lang), copy);
  // Reachable by keyboard, because it scrolls.
  const pre = h("pre", { tabindex: "0", dir: "ltr" }, code);
  return { frame: h("div", { class: "code" }, bar, pre), part };
}

/** Long code is many of these, because a browser lays out again the whole of a text that gets longer. */
export function codePart(text: string): HTMLElement {
  return h("span", { class: "part" }, document.createTextNode(text));
}

/** More rows for a table, as one more table in its frame: with the first one's widths, which stay as they are now. */
export function moreRows(more: HTMLTableElement, frame: HTMLElement): void {
  const first = frame.firstElementChild as HTMLTableElement;
  if (!first.style.tableLayout) {
    const whole = first.offsetWidth;
    const widths = [...first.rows[0]!.cells].map((cell) => cell.offsetWidth);
    const columns = widths.map(() => h("col"));
    first.prepend(h("colgroup", {}, ...columns));
    // Not laid out: equal widths are at least the same in all parts.
    if (whole) columns.forEach((column, index) => (column.style.width = `${(100 * widths[index]!) / whole}%`));
    fixed(first, whole);
  }
  more.tHead?.remove();
  more.prepend(first.firstElementChild!.cloneNode(true));
  fixed(more, parseInt(first.style.minWidth));
}

function fixed({ style }: HTMLElement, least: number): void {
  style.tableLayout = "fixed";
  style.width = "100%";
  style.minWidth = `${least}px`;
}

export function decorate(element: HTMLElement, citations: readonly Citation[]): void {
  for (const pre of element.querySelectorAll("pre")) {
    const lang = pre.querySelector("code")?.className.replace("language-", "") ?? "";
    pre.replaceWith(codeBlock((pre.textContent ?? "").replace(/\n$/, ""), lang).frame);
  }
  for (const table of element.querySelectorAll("table")) {
    const frame = h("div", { class: "table", tabindex: "0", role: "group", "aria-label": texts.table });
    table.replaceWith(frame);
    frame.append(table);
  }
  // Below the chat's own heading, so that the outline of the page stays one.
  for (const heading of element.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    heading.setAttribute("aria-level", String(Math.min(6, +heading.tagName[1]! + 2)));
  }
  markSources(element, citations);
}

/** "[2]" in running text becomes a raised 2, when there is a source 2. */
export function markSources(element: HTMLElement, citations: readonly Citation[]): void {
  if (!citations.length) return;
  const known = new Set(citations.map((citation) => citation.n));
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const found: Text[] = [];
  while (walker.nextNode()) {
    const node = walker.currentNode as Text;
    if (/\[\d+\]/.test(node.data) && !node.parentElement?.closest("code, a")) found.push(node);
  }
  // Without the space before it, so that the mark clings to the word that it belongs to.
  for (const node of found) node.replaceWith(...node.data.split(/([ \t]*\[\d+\])/).map((part) => mark(part, known)));
}

function mark(part: string, known: ReadonlySet<number>): Node {
  const n = Number(/^[ \t]*\[(\d+)\]$/.exec(part)?.[1] ?? NaN);
  if (!known.has(n)) return document.createTextNode(part);
  // Not a <button>: those are boxes of their own, and a line could break before the full stop that follows.
  return h("sup", { class: "mark", role: "button", tabindex: "0", "data-source": String(n), "aria-label": fill(texts.source, n) }, String(n));
}

async function onCopy(button: HTMLElement, text: string): Promise<void> {
  const done = await copied(text, button);
  const label = button.querySelector("span");
  if (!label) return;
  label.textContent = done ? texts.copied : texts.notCopied;
  setTimeout(() => (label.textContent = texts.copy), COPIED_MS);
}

export async function copied(text: string, near: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Pages without https have no clipboard object: the old way.
    const area = h("textarea", { class: "unseen", readonly: "" }) as HTMLTextAreaElement;
    area.value = text;
    near.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    near.focus();
    return done;
  }
}

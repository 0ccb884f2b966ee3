/**
 * One answer on the page, in bounded steps: a step reads no more than a window of the text, and what it settles is not
 * read again. So neither a long answer nor one long block of it can hold up the page.
 * What Markdown means is markdown.ts's business; copy buttons and source marks are decoration.ts's.
 */
import { type Cut, WITHIN, cut } from "./cut";
import { codeBlock, codePart, decorate, markSources, moreRows } from "./decoration";
import { h } from "./element";
import { type Block, type Links, blocks, hasDefinitions, linksIn, plain, rendered } from "./markdown";
import type { Citation } from "./wire";

/** So many characters are read at once. A block that is longer is cut. */
export const WINDOW = 4_096;
/** The last two blocks can still change ("1. a\n\n2" becomes one list with the next character). */
const LIVE = 2;
/** So many blocks are shown at once; a window of nothing but "#" has two thousand. */
const BLOCKS = 50;
/** What a block is, and whether it belongs to the one before it, is certain after so many characters. */
const CERTAIN = 64;

interface Shown {
  raw: string;
  element: HTMLElement;
  parent: Element;
  /** Of a code block: its text node, to which a stream appends. */
  code: Text | null;
  lang: string;
  carried: Carried | null;
}

/** The block that goes on where reading goes on. */
interface Carried extends Cut {
  last: Shown;
}

export class AnswerView {
  readonly element = document.createElement("div");
  #text = "";
  #settled = 0;
  #carried: Carried | null = null;
  #shown: Shown[] = [];
  /** The first of the shown that can still change. */
  #live = 0;
  #links: Links = {};
  #citations: readonly Citation[] = [];
  #final = false;
  #read = true;
  /** So many blocks have the marks and links that are known only in the end. */
  #marked = 0;

  constructor() {
    this.element.className = "answer";
    this.element.dir = "auto";
  }

  /** The text so far. It is shown by `advance`. */
  stream(given: string): void {
    const text = given.includes("\r") ? given.replace(/\r\n?/g, "\n") : given;
    if (text === this.#text) return;
    if (!text.startsWith(this.#text.slice(0, this.#settled))) this.#reset();
    this.#text = text;
    this.#final = this.#read = false;
  }

  /** The whole text, with marks for its sources. */
  finish(text: string, citations: readonly Citation[]): void {
    if (numbers(citations) !== numbers(this.#citations)) {
      if (this.#citations.length) this.#reset();
      this.#citations = citations;
      this.#marked = 0;
    }
    this.stream(text);
    // Definitions at the end are certain now.
    if (!this.#final) this.#read = false;
    this.#final = true;
  }

  /** One step, of a few milliseconds at most. False: there is nothing more to do. */
  advance(): boolean {
    if (!this.#read) this.#readOn();
    else if (this.#final && this.#marked < this.#shown.length) this.#mark(this.#shown[this.#marked++]!);
    return !this.#read || (this.#final && this.#marked < this.#shown.length);
  }

  /** The beginning as plain text, for announcing it. */
  spoken(length: number): string {
    let said = "";
    for (const block of this.element.children) {
      if (said.length > length) break;
      said += `${first(block as HTMLElement).innerText}\n`;
    }
    return said.trim();
  }

  #reset(): void {
    this.element.replaceChildren();
    this.#shown = [];
    this.#live = this.#settled = this.#marked = 0;
    this.#carried = null;
    this.#links = {};
    this.#read = false;
  }

  #readOn(size = WINDOW): void {
    const end = this.#settled + size;
    const read = (this.#carried?.prefix ?? "") + this.#text.slice(this.#settled, end);
    const all = blocks(read, this.#links);
    const found = all.slice(0, BLOCKS);
    const more = end < this.#text.length || all.length > BLOCKS;
    const [first, second, third] = found;
    if (more && second && !third && second.raw.length < CERTAIN && size < 2 * WINDOW) {
      // Once a little further, then, over white space, a last time.
      return this.#readOn(size === WINDOW ? size + CERTAIN : 2 * WINDOW);
    }
    if (more && !second && !(first && first.raw.length < size / 2)) this.#cut(read, first);
    else {
      this.#showAll(found);
      const whole = more && !third ? 1 : found.length - LIVE;
      this.#settle(read.slice(0, found[whole - 1]?.end ?? 0), whole);
    }
    this.#read = !more;
    if (!more && this.#final) this.#define(read);
  }

  #showAll(found: Block[]): void {
    found.forEach((block, index) => this.#show(block, this.#live + index));
    for (const gone of this.#shown.splice(this.#live + found.length)) gone.element.remove();
  }

  #show(block: Block, index: number): void {
    const had = this.#shown[index];
    if (had?.raw === block.raw || (had && grow(had, block))) return;
    const shown = this.#make(block, index === this.#live ? this.#carried : null);
    if (had) had.element.replaceWith(shown.element);
    else shown.parent.append(shown.element);
    this.#shown[index] = shown;
  }

  #make(block: Block, carried: Carried | null): Shown {
    const { raw, type } = block;
    const last = carried && goesOn(carried, block) ? carried.last : null;
    const element = h("div", { class: last ? "more" : "block" });
    const shown: Shown = { raw, element, parent: this.element, code: null, lang: "", carried };
    if (type === "code") {
      const [lang, text] = codeOf(block);
      const before = last?.code?.parentElement?.parentElement;
      const { frame, part } = before ? { frame: null, part: codePart(text) } : codeBlock(text, lang);
      if (frame) element.append(frame);
      return { ...shown, lang, code: part.firstChild as Text, ...(before && { element: part, parent: before }) };
    }
    if (last && carried?.start) (block.token as { start?: number }).start = carried.start;
    const nodes = rendered(block);
    if (nodes && carried) dropPrefix(nodes, carried);
    element.append(nodes ?? plain(raw.slice(carried?.prefix.length)));
    decorate(element, this.#citations);
    const frame = last && (last.element.closest(".table") ?? last.element.querySelector(".table"));
    const table = frame && element.querySelector("table");
    if (!table) return shown;
    moreRows(table, frame as HTMLElement);
    return { ...shown, element: table, parent: frame };
  }

  /** All that fills the window is one block: what is before the cut is settled, and the rest carried on. */
  #cut(read: string, block: Block | undefined): void {
    const found = block && cut(block);
    const whole = read.slice(0, found ? block.begin + found.at : read.lastIndexOf("\n") + 1 || read.length);
    const parts = blocks(whole, this.#links);
    this.#showAll(parts);
    this.#settle(whole, parts.length);
    const last = this.#shown.at(-1);
    if (!found || !last) return;
    this.#carried = { ...found, last };
    if (last.code && whole.endsWith("\n") && !last.code.data.endsWith("\n")) last.code.appendData("\n");
  }

  #settle(read: string, count: number): void {
    if (!read) return;
    this.#settled += read.length - (this.#carried?.prefix.length ?? 0);
    this.#carried = null;
    this.#live += count;
    this.#define(read);
  }

  #define(read: string): void {
    if (hasDefinitions(read)) this.#links = { ...linksIn(read), ...this.#links };
  }

  /** What is known only in the end: links that are defined further down, sources. */
  #mark(shown: Shown): void {
    if (shown.code || !shown.raw.includes("[")) return;
    const block = Object.keys(this.#links).length ? blocks(shown.raw, this.#links)[0] : null;
    const old = first(shown.element);
    if (!block) return markSources(old, this.#citations);
    const made = this.#make(block, shown.carried);
    const fresh = first(made.element);
    if (old instanceof HTMLTableElement && fresh instanceof HTMLTableElement) {
      // In its frame there may be more tables, and its columns are measured.
      old.tHead?.replaceWith(fresh.tHead ?? "");
      old.tBodies[0]?.replaceWith(...fresh.tBodies);
      return;
    }
    shown.element.replaceWith(made.element);
    Object.assign(shown, made);
  }
}

/** Of a table or code the part in which it begins; of all else the whole. */
function first(block: HTMLElement): HTMLElement {
  return block.querySelector<HTMLElement>(":scope > div :is(.part, table)") ?? block;
}

/** A code block under way is one text node that gets longer. */
function grow(had: Shown, block: Block): boolean {
  if (!had.code || block.type !== "code") return false;
  const [lang, text] = codeOf(block);
  if (lang !== had.lang) return false;
  const before = had.code.data;
  if (text.startsWith(before)) had.code.appendData(text.slice(before.length));
  else had.code.data = text;
  had.raw = block.raw;
  return true;
}

/** Whether the first block that was read is more of the one that was cut. */
function goesOn({ type, start }: Carried, { type: next, token }: Block): boolean {
  return type === next && (type !== "list" || (token as { ordered?: boolean }).ordered === !!start);
}

function dropPrefix(nodes: DocumentFragment, { type, prefix }: Carried): void {
  if (!prefix || type === "table") return;
  const item = type === "list" ? nodes.querySelector("li") : null;
  const first = document.createTreeWalker(item ?? nodes, NodeFilter.SHOW_TEXT).nextNode() as Text | null;
  first?.deleteData(0, WITHIN.length);
  if (!item) return;
  if (first?.nextSibling?.nodeName === "BR") first.nextSibling.remove();
  // The item has its mark already, further up.
  item.style.listStyle = "none";
}

function numbers(citations: readonly Citation[]): string {
  return citations.map(({ n }) => n).join();
}

function codeOf(block: Block): [lang: string, text: string] {
  const { lang, text } = block.token as { lang?: string; text: string };
  return [lang?.match(/^[\w+#.-]{1,40}/)?.[0] ?? "", text];
}

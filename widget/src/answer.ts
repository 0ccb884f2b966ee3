/**
 * One answer on the page while it grows: only the blocks that can still change are read and rendered again.
 * What Markdown means is markdown.ts's business; copy buttons and source marks are decoration.ts's.
 */
import { codeBlock, decorate } from "./decoration";
import { type Block, blocks, hasDefinitions, rendered } from "./markdown";
import type { Citation } from "./wire";

/** The last two blocks can still change ("1. a\n\n2" becomes one list with the next character). */
const LIVE = 2;

interface Shown {
  raw: string;
  element: HTMLElement;
  /** Of a code block: its text node, to which a stream appends. */
  code: Text | null;
  lang: string;
}

export class AnswerView {
  readonly element = document.createElement("div");
  #text = "";
  #settled = "";
  #live: Shown[] = [];
  #citations: readonly Citation[] = [];

  constructor() {
    this.element.className = "answer";
    this.element.dir = "auto";
  }

  /** Shows the text so far. */
  stream(text: string): void {
    if (text === this.#text) return;
    if (!text.startsWith(this.#settled)) this.#reset();
    this.#text = text;
    const found = blocks(text.slice(this.#settled.length));
    found.forEach((block, index) => this.#show(block, index));
    for (const gone of this.#live.splice(found.length)) gone.element.remove();
    this.#settle(found);
  }

  /** Shows the whole text, with marks for its sources. */
  finish(text: string, citations: readonly Citation[]): void {
    const again = citations.length > 0 || this.#citations.length > 0 || hasDefinitions(text);
    if (again && (text !== this.#text || citations !== this.#citations)) this.#reset();
    this.#citations = citations;
    this.stream(text);
  }

  #reset(): void {
    this.element.replaceChildren();
    this.#live = [];
    this.#settled = this.#text = "";
  }

  #show(block: Block, index: number): void {
    const had = this.#live[index];
    if (had?.raw === block.raw) return;
    if (had && grow(had, block)) return;
    const shown = this.#make(block);
    if (had) had.element.replaceWith(shown.element);
    else this.element.append(shown.element);
    this.#live[index] = shown;
  }

  #make(block: Block): Shown {
    const element = document.createElement("div");
    element.className = "block";
    if (block.type === "code") {
      const [lang, text] = codeOf(block);
      const { frame, code } = codeBlock(text, lang);
      element.append(frame);
      return { raw: block.raw, element, code, lang };
    }
    element.append(rendered(block));
    decorate(element, this.#citations);
    return { raw: block.raw, element, code: null, lang: "" };
  }

  #settle(found: Block[]): void {
    const count = found.length - LIVE;
    const end = found[count - 1]?.end;
    if (end === undefined) return;
    this.#settled = this.#text.slice(0, this.#settled.length + end);
    this.#live.splice(0, count);
  }
}

/** A code block under way is one text node that gets longer, however long it is. */
function grow(had: Shown, block: Block): boolean {
  if (!had.code || block.type !== "code") return false;
  const [lang, text] = codeOf(block);
  if (lang !== had.lang || !text.startsWith(had.code.data)) return false;
  had.code.appendData(text.slice(had.code.data.length));
  had.raw = block.raw;
  return true;
}

function codeOf(block: Block): [lang: string, text: string] {
  const { lang, text } = block.token as { lang?: string; text: string };
  return [lang?.match(/^[\w+#.-]{1,40}/)?.[0] ?? "", text];
}

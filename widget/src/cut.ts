/**
 * Where a block that is longer than what is read at once may be cut, so that its rest looks as if it had not been.
 * Knows Markdown's tokens, nothing of the page.
 */
import type { Token, Tokens } from "marked";
import type { Block } from "./markdown";

export interface Cut {
  type: string;
  /** What is settled of the block's raw text. */
  at: number;
  /** What has to stand before the rest, so that it is read as more of the same: a fence, a table's head. */
  prefix: string;
  /** The number with which an ordered list goes on. */
  start?: number;
}

/** Read before the rest of a paragraph or item, so that a "-" or "#" at its beginning opens no block. Not shown. */
export const WITHIN = ". ";

export function cut({ type, raw, token }: Block): Cut {
  const lines = type === "table" ? 2 : type === "code" && /^ {0,3}[`~]/.test(raw) ? 1 : 0;
  // Indented code is what it is in all its parts.
  const found: Cut = { type: type === "code" && !lines ? "" : type, at: 0, prefix: type === "paragraph" ? WITHIN : head(raw, lines) };
  let inner = (token as Tokens.Generic).tokens ?? [];
  if (type === "list") {
    const { items, ordered, start } = token as Tokens.List;
    const last = items.at(-1)!;
    if (ordered) found.start = Number(start) + items.length - 1;
    if (items.length > 1) return { ...found, at: raw.length - last.raw.length };
    // One item without end: its rest is read as more of it.
    found.prefix = `${/^ *\S+[ \t]*/.exec(raw)![0]}.\n`;
    inner = last.tokens;
  }
  // Some of it has to be settled, whatever it is.
  const least = found.prefix.length + raw.length / 8;
  const places = [type === "paragraph" ? inParagraph(inner) : beforeLast(raw, inner), raw.lastIndexOf("\n") + 1, raw.lastIndexOf(" ") + 1];
  found.at = places.find((at) => at > least) ?? raw.length;
  // Never between the two halves of a character.
  if (/[\uD800-\uDBFF]/.test(raw[found.at - 1]!)) found.at--;
  return found;
}

/** Between words that belong to no emphasis or link, after a sentence or a line where there is one. */
function inParagraph(tokens: Token[]): number {
  let end = 0;
  let at = 0;
  for (const { type, raw } of tokens) {
    // What looks like an opening mark may be one whose end has not been read.
    const text = type === "text" ? /^[^*_`~[<\\]*/.exec(raw)![0] : "";
    const words = /^[^]*(?:[.!?:]\s|[。！？])/.exec(text) ?? /^[^]*\s/.exec(text);
    if (words) at = end + words[0].length;
    end += raw.length;
    if (type === "br") at = end;
  }
  return at;
}

/** Before the last block inside a quotation or an item. Its lines are those of the text inside. */
function beforeLast(raw: string, inner: Token[]): number {
  return head(raw, inner.slice(0, -1).reduce((sum, token) => sum + token.raw.split("\n").length - 1, 0)).length;
}

/** The first lines of a text. */
function head(raw: string, lines: number): string {
  return raw.split("\n", lines).map((line) => `${line}\n`).join("");
}

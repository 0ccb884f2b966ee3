/**
 * Bounds to what a text can make marked do. The search for the end of an emphasis or an address grows with the square
 * of a text, a table's cells with the product of its sides, and lists inside each other with both. What goes beyond a
 * bound is shown as it stands: whoever writes it wants to hold up the page, and not to be read.
 */
import type { Lexer } from "marked";

/** Characters that may be read in search of where an emphasis ends, for all the marks of one text together. */
const SEARCH = 150_000;
/** Of all tables of one text together: as many as it could write out. */
const CELLS = 4_096;
/** Quotations and lists inside each other. */
const DEPTH = 20;
/** A mark before white space begins nothing, nor does one "_" within a word: for these nothing is searched. */
const BEGINS = /^([*_~])\1*(?!\1)\S/;
/** So many in a row are a line that somebody drew. */
const DRAWN = /^([*_~])\1{20}/;
/** No name before an "@" and no domain is as long as that. */
const NO_ADDRESS = /^[\w.+-]{256}/;
const WITHIN_WORD = /^[\p{L}\p{N}]_[\p{L}\p{N}]/u;

type Find<T> = (text: string, masked: string, before?: string) => T | undefined;

export function bounded(lexer: Lexer): Lexer {
  const tokenizer = lexer.options.tokenizer!;
  const { emStrong, del, url, table, blockquote, list } = tokenizer;
  let read = 0;
  let cells = 0;
  let depth = 0;
  function inside<T>(find: (text: string) => T, text: string): T | undefined {
    if (depth === DEPTH) return undefined;
    depth++;
    const found = find.call(tokenizer, text);
    depth--;
    return found;
  }
  function searched<T extends { raw: string }>(find: Find<T>, text: string, masked: string, before = ""): T | undefined {
    if (read > SEARCH || DRAWN.test(text)) return undefined;
    const found = find.call(tokenizer, text, masked, before);
    if (BEGINS.test(text) && !WITHIN_WORD.test(before + text.slice(0, 3))) read += (found?.raw ?? text).length;
    return found;
  }
  tokenizer.emStrong = (text, masked, before) => searched(emStrong, text, masked, before);
  tokenizer.del = (text, masked, before) => searched(del, text, masked, before);
  tokenizer.url = (text) => (NO_ADDRESS.test(text) ? undefined : url.call(tokenizer, text));
  tokenizer.table = (text) => {
    if (cells + cellsOf(text) > CELLS) return undefined;
    const found = table.call(tokenizer, text);
    if (found) cells += found.header.length * found.rows.length;
    return found;
  };
  tokenizer.blockquote = (text) => inside(blockquote, text);
  tokenizer.list = (text) => inside(list, text);
  return lexer;
}

/** How many cells a table would have at most: short rows are filled up to the width of its head. */
function cellsOf(text: string): number {
  const columns = text.split("\n", 1)[0]!.split("|").length;
  // Few columns cannot have many more cells than characters.
  return columns < 4 ? 0 : (columns - 2) * text.split(/\n[ \t]*\n/, 1)[0]!.split("\n").length;
}

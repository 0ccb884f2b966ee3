/** The build leaves parts of marked out (unused.mjs). These tests see the same file, and compare. */
// @ts-expect-error -- The whole one, as it comes; its types are those of the other.
import * as whole from "../node_modules/marked/lib/marked.umd.js";
import * as small from "marked";
import { describe, expect, it } from "vitest";
import protocol from "../../docs/protocol.md?raw";

const PIECES = [
  "*", "**", "_", "`", "```\n", "~~", "# ", "- ", "1. ", "> ", "\n", "\n\n", "  \n", "    ", "\t", "| a | b |\n|---|---|\n", "---\n", "===\n",
  "[x](https://a.example 't')", "[x]: https://a.example\n", "[x]", "![i](u)", "<div>\n", "<b>", "</b>", "<!-- c -->", "&amp;", "\\*",
  "https://b.example", "www.c.example", "me@d.example", "<https://e.example>", "text", "two words", "[ ] ", "[x] ", "a_b_c",
];

/** Texts of a few pieces each, the same in every run. */
function* texts(count: number): Generator<string> {
  let seed = 7;
  const below = (end: number): number => (seed = (seed * 48_271) % 2_147_483_647) % end;
  for (let n = 0; n < count; n++) yield Array.from({ length: 2 + below(14) }, () => PIECES[below(PIECES.length)]).join("");
}

function html({ Lexer, Parser, Renderer }: typeof small, text: string): string {
  const options = { gfm: true, breaks: true, renderer: new Renderer() };
  return Parser.parse(new Lexer({ ...options }).lex(text), options);
}

describe("marked without what the widget never uses", () => {
  it("is the one that these tests see", () => {
    expect("marked" in small).toBe(false);
    expect("marked" in whole).toBe(true);
  });

  it("makes the same of a long document", () => {
    expect(html(small, protocol)).toBe(html(whole, protocol));
  });

  it("makes the same of 5,000 texts", () => {
    for (const text of texts(5_000)) expect(html(small, text), text).toBe(html(whole, text));
  });
});

/**
 * Markdown -> blocks -> inert nodes. Raw HTML in the text is shown as text, images become links.
 * Knows nothing of streaming (answer.ts) and nothing of turns.
 */
import { Lexer, type MarkedOptions, Parser, Renderer, type RendererObject, type Token, type TokensList } from "marked";
import { bounded } from "./bounds";
import { safeLink, sanitised } from "./sanitise";

export interface Block {
  type: string;
  raw: string;
  /** Where it begins in the text that was read. */
  begin: number;
  /** Where the block ends in the text that was read, white space after it included. */
  end: number;
  token: Token;
}

const rules = {
  html({ text }) {
    return escaped(text);
  },
  image({ href, text }) {
    const label = escaped(text || href);
    return safeLink(href) ? `<a href="${escaped(href)}">${label}</a>` : label;
  },
  link({ href, tokens }) {
    const label = this.parser.parseInline(tokens);
    return safeLink(href) ? `<a href="${escaped(href)}">${label}</a>` : label;
  },
  checkbox({ checked }) {
    return checked ? "☑ " : "☐ ";
  },
} satisfies RendererObject;

/** Made at the first answer: until then marked itself is not made either (unused.mjs), which takes its time. */
let made: MarkedOptions | undefined;

function options(): MarkedOptions {
  return (made ??= { gfm: true, breaks: true, renderer: Object.assign(new Renderer(), rules) });
}

/** Where "[1]: https://…" says that [1] leads. */
export type Links = Lexer["tokens"]["links"];

/** The text's top-level blocks. White space and link definitions belong to the block before them. */
export function blocks(text: string, links?: Links): Block[] {
  const found: Block[] = [];
  let end = 0;
  for (const token of lexed(text, links)) {
    const begin = end;
    end += token.raw.length;
    const last = found.at(-1);
    if (token.type !== "space" && token.type !== "def") found.push({ type: token.type, raw: token.raw, begin, end, token });
    else if (last) last.end = end;
  }
  return found;
}

export function linksIn(text: string): Links | undefined {
  return (lexed(text) as Partial<TokensList>).links;
}

/** Null where the host page does not allow HTML to be made: show `plain` text then. */
export function rendered(block: Block): DocumentFragment | null {
  return sanitised(htmlOf(block));
}

export function plain(text: string): Node {
  const paragraph = document.createElement("p");
  paragraph.className = "plain";
  paragraph.textContent = text.trim();
  return paragraph;
}

function htmlOf({ type, raw, token }: Block): string {
  // The top level of an HTML block has no paragraph of its own.
  if (type === "html") return `<p>${escaped(raw)}</p>`;
  return type === "text" ? escaped(raw) : Parser.parse([token], options());
}

/** Two thousand quotes in each other overflow the parser's stack: such a text is one block, as it stands. */
function lexed(text: string, links?: Links): Token[] {
  try {
    const lexer = bounded(new Lexer({ ...options() }));
    Object.assign(lexer.tokens.links, links);
    return lexer.lex(text);
  } catch {
    return [{ type: "html", raw: text, text } as Token];
  }
}

/** Definitions ("[1]: https://…") reach over blocks. */
export function hasDefinitions(text: string): boolean {
  return /^ {0,3}\[[^\]\n]+\]:/m.test(text);
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** Long answers, whose blocks may be longer than what is read at once: nothing lost, nothing read twice without end. */
import { Lexer } from "marked";
import { afterEach, describe, expect, it, vi } from "vitest";
import { AnswerView, WINDOW } from "../src/answer";
import { blocks } from "../src/markdown";
import { ATTACKS } from "./attacks";
import { faults, finish, stream } from "./page";

const SAMPLES = [
  "A *paragraph*\nof two lines with [a link](https://example.org).",
  "## Heading",
  "1. one\n\n2. two\n   - inner\n\n3. three",
  "- tight\n- [x] list",
  "| a | b |\n|---|--:|\n| 1 | `2` |",
  "```python\ndef f():\n\n    return 1\n```",
  "    indented = code",
  "> quoted\nlazily\n> - list",
  "Setext\n===",
  "<div>raw</div>",
  "---",
  "~~gone~~ 2 * 3 * 4, https://example.org/a_b",
];

/** One block each, longer than several windows. */
const GIANTS: Record<string, (length: number) => string> = {
  code: (length) => `~~~js\n${lines(length, (n) => `  let a${n} = ${n};`)}\n~~~`,
  "code of one line": (length) => `\`\`\`\n${"abcdefghi ".repeat(length / 10)}\n\`\`\``,
  "indented code": (length) => lines(length, (n) => `    line ${n}`),
  list: (length) => lines(length, (n) => `- item **${n}** of it\n  - and *below* it`),
  "numbered list": (length) => lines(length, (n) => `${n + 1}. item ${n}`),
  table: (length) => `| a | b |\n|---|--:|\n${lines(length, (n) => `| cell *${n}* | \`${n}\` |`)}`,
  paragraph: (length) => lines(length, (n) => `- ${n} *words* and **more** # `).replaceAll("\n", " ").slice(2),
  "paragraph of lines": (length) => lines(length, (n) => `line ${n} with *words*`),
  quotation: (length) => lines(length, (n) => `> said ${n}\n>`),
  "paragraph without a space": (length) => "abcdefghij".repeat(length / 10),
  "item of items": (length) => `3. topic\n${lines(length, (n) => `    - below **${n}** it`)}`,
  "item of paragraphs": (length) => `* topic\n${lines(length, (n) => `\n  paragraph ${n} in it`)}`,
  comment: (length) => `<!--\n${lines(length, (n) => `nothing ${n}`)}\n-->`,
};
const KINDS = Object.entries(GIANTS).map(([kind, made]) => [kind, made(3 * WINDOW)] as const);

function lines(length: number, line: (n: number) => string): string {
  let text = "";
  for (let n = 0; text.length < length; n++) text += `${n ? "\n" : ""}${line(n)}`;
  return text;
}

function shown(text: string): AnswerView {
  const view = new AnswerView();
  finish(view, text);
  return view;
}

/** Streamed in pieces of random size. */
function streamed(text: string, random: () => number, most: number): AnswerView {
  const view = new AnswerView();
  for (let end = 0; end < text.length; end += 1 + Math.floor(random() * most)) stream(view, text.slice(0, end));
  finish(view, text);
  return view;
}

/** Always the same numbers, so that a failure can be looked at. */
function dice(seed: number): () => number {
  return () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
}

function bare(text: string): string {
  return text.replace(/[^a-z0-9]/g, "");
}

/** Its letters and digits, without the bars over code. */
function visible(element: HTMLElement): string {
  const copy = element.cloneNode(true) as HTMLElement;
  for (const bar of copy.querySelectorAll(".code-bar")) bar.remove();
  return bare(copy.textContent);
}

/** Where two long texts part. */
function difference(one: string, other: string): string {
  const at = [...one].findIndex((char, index) => char !== other[index]);
  if (at < 0) return other.slice(one.length);
  return `${at}: ${one.slice(Math.max(0, at - 60), at + 60)} | ${other.slice(Math.max(0, at - 60), at + 60)}`;
}

afterEach(() => void vi.restoreAllMocks());

describe("a long answer of ordinary blocks", () => {
  it.each([1, 2, 3, 4])("looks like its blocks one by one, in whatever pieces it arrived (%i)", (seed) => {
    const random = dice(seed);
    const text = Array.from({ length: 200 }, () => SAMPLES[Math.floor(random() * SAMPLES.length)]).join("\n\n");
    const one = blocks(text).map((block) => shown(block.raw).element.innerHTML).join("");
    expect(text.length).toBeGreaterThan(WINDOW);
    expect(difference(shown(text).element.innerHTML, one)).toBe("");
    expect(difference(streamed(text, random, 900).element.innerHTML, one)).toBe("");
  });
});

describe.each(KINDS)("one block longer than what is read at once: %s", (_, text) => {
  it("shows all of it, in whatever pieces it arrived", () => {
    const { element } = shown(text);
    expect(difference(visible(element), bare(text.replace(/^(\d+\.|~~~js)/gm, "")))).toBe("");
    expect(difference(streamed(text, dice(7), 2_000).element.innerHTML, element.innerHTML)).toBe("");
  });

  it("is read once, not again and again", () => {
    const lex = vi.spyOn(Lexer.prototype, "lex");
    shown(text);
    const read = (): number => lex.mock.calls.reduce((sum, [source]) => sum + source.length, 0);
    expect(read()).toBeLessThan(3 * text.length);
    lex.mockClear();
    const view = streamed(text, () => 0.99, 1_000);
    expect(view.element.textContent.length).toBeGreaterThan(0);
    // A step never reads more than a window and what goes before it.
    expect(Math.max(...lex.mock.calls.map(([source]) => source.length))).toBeLessThan(WINDOW + 200);
  });

  it("keeps what is settled while it grows", () => {
    const view = new AnswerView();
    stream(view, text.slice(0, 2 * WINDOW));
    const first = view.element.querySelector("p, li, tr, .part");
    finish(view, text);
    expect(first && view.element.contains(first)).toBe(true);
  });
});

describe("the rest of a long block", () => {
  const of = (kind: string): HTMLElement => shown(GIANTS[kind]!(3 * WINDOW)).element;

  it("of a list goes on counting", () => {
    const items = of("numbered list").querySelectorAll("li");
    for (const list of of("numbered list").querySelectorAll("ol")) {
      expect(list.start).toBe(Number(/\d+/.exec(list.textContent)![0]) + 1);
    }
    expect(items.length).toBe(GIANTS["numbered list"]!(3 * WINDOW).split("\n").length);
  });

  it("of a list that counts only ones goes on as well", () => {
    const lists = shown(lines(2 * WINDOW, (n) => `1. item ${n}`)).element.querySelectorAll("ol");
    const first = lists[0]!.children.length;
    expect([lists[1]!.start, lists[1]!.textContent.trim().split("\n")[0]]).toEqual([first + 1, `item ${first}`]);
  });

  it("of a table stays in its frame, with one head and one set of columns", () => {
    const element = of("table");
    expect([element.querySelectorAll(".table").length, element.querySelectorAll("th").length]).toEqual([1, 2]);
    expect(element.querySelectorAll("table").length).toBeGreaterThan(2);
    for (const table of element.querySelectorAll("table")) expect(table.style.tableLayout).toBe("fixed");
    expect(element.querySelector("table:last-child td:last-child")?.getAttribute("align")).toBe("right");
  });

  it("of a paragraph opens no list or heading where it was cut", () => {
    expect(of("paragraph").querySelectorAll("li, h1").length).toBe(0);
    expect(of("paragraph").textContent).not.toContain("*");
  });

  it("of one item stays in it", () => {
    const element = of("item of items");
    expect([...element.children].map((block) => block.firstElementChild?.localName)).toEqual([...element.children].map(() => "ol"));
    expect([...element.querySelectorAll<HTMLElement>("ol > li")].map((item) => item.style.listStyle)[1]).toContain("none");
    expect(element.querySelectorAll("pre").length).toBe(0);
    expect(of("item of paragraphs").querySelectorAll(".answer > * > ul > li > p").length).toBeGreaterThan(100);
  });

  it("of a quotation stays quoted", () => {
    expect([...of("quotation").children].every((block) => block.firstElementChild?.localName === "blockquote")).toBe(true);
  });

  it("of code is copied with its beginning", async () => {
    const writeText = vi.fn(async () => undefined);
    vi.stubGlobal("navigator", { clipboard: { writeText } });
    const text = GIANTS["code"]!(3 * WINDOW);
    const element = shown(text).element;
    expect(element.querySelectorAll(".code").length).toBe(1);
    expect(element.querySelectorAll(".part").length).toBeGreaterThan(2);
    element.querySelector<HTMLElement>(".copy")!.click();
    expect(writeText).toHaveBeenCalledWith(text.split("\n").slice(1, -1).join("\n"));
    vi.unstubAllGlobals();
  });
});

describe("what is known only in the end", () => {
  it("are sources: settled blocks get marks and stay", () => {
    const text = lines(3 * WINDOW, (n) => `- said ${n} [1]`);
    const view = new AnswerView();
    stream(view, text);
    const first = view.element.querySelector("li");
    finish(view, text, [{ n: 1, title: "One" }]);
    expect(view.element.querySelectorAll("sup").length).toBe(text.split("\n").length);
    expect(view.element.querySelector("li")).toBe(first);
    finish(view, text, [{ n: 1, title: "One" }]);
    expect(view.element.querySelector("li")).toBe(first);
  });

  it("are links that are defined below", () => {
    const text = `${lines(3 * WINDOW, (n) => `| [${n}][to] | x |${n ? "" : "\n|---|---|"}`)}\n\n[to]: https://example.org/x`;
    const view = new AnswerView();
    stream(view, text);
    finish(view, text);
    const links = [...view.element.querySelectorAll("a")].map((link) => link.getAttribute("href"));
    expect(new Set(links)).toEqual(new Set(["https://example.org/x"]));
    expect(links.length).toBe(text.split("\n").length - 3);
    expect(view.element.querySelectorAll(".table, th").length).toBe(3);
  });
});

describe("an attack that is cut in two", () => {
  it.each([
    ["in a paragraph", (text: string) => text],
    ["in a list", (text: string) => `- ${text.replaceAll("\n", "\n- ")}`],
    ["in a table", (text: string) => `| a | b |\n|---|---|\n| ${text.replaceAll("\n", " |\n| ")} |`],
    ["in code", (text: string) => `\`\`\`html\n${text}`],
    ["in a quotation", (text: string) => `> ${text.replaceAll("\n", "\n> ")}`],
  ])("is inert %s", (_, wrapped) => {
    for (let shift = 0; shift < 60; shift += 19) {
      const text = `${"x".repeat(shift)} ${ATTACKS.map((attack) => attack.replaceAll("\n", " ")).join(shift % 2 ? " " : "\n")}`;
      expect(faults(shown(wrapped(text.repeat(3))).element)).toEqual([]);
    }
    expect("hit" in globalThis).toBe(false);
  });
});

/** Texts that are written to hold up the page: no step may take long, whatever it costs to read them in full. */
import { Lexer } from "marked";
import { afterEach, describe, expect, it, vi } from "vitest";
import { AnswerView, WINDOW } from "../src/answer";
import { finish, stream } from "./page";

function filled(part: string, length = WINDOW): string {
  return part.repeat(length / part.length);
}

function shown(text: string): AnswerView {
  const view = new AnswerView();
  finish(view, text);
  return view;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("the reading of an answer", () => {
  it.each(["**a ", "*a **a ", "_a **b ", "*a _b ", "~a "])("does not search without end for the end of an emphasis: %s", (part) => {
    // What the search reads goes through this.
    let read = 0;
    const exec = RegExp.prototype.exec;
    vi.spyOn(RegExp.prototype, "exec").mockImplementation(function (this: RegExp, text: string) {
      const from = this.lastIndex;
      const found = exec.call(this, text);
      if (this.global && /\[\^[*_~]/.test(this.source)) read += (found ? this.lastIndex : text.length) - from;
      return found;
    });
    const view = shown(filled(part));
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(1_000_000);
    expect(view.element.textContent!.trim()).toBe(filled(part).trim());
  });

  it("does not begin anew for every few characters of white space", () => {
    const lex = vi.spyOn(Lexer.prototype, "lex");
    const view = new AnswerView();
    view.finish(`${filled("*a ", 3_900)}\n\n# x\n${filled("\n", 6_000)}y`, []);
    view.advance();
    expect(lex.mock.calls.length).toBeLessThan(5);
  });

  it("shows many small blocks in more than one step, and all of them", () => {
    for (const part of ["---\n", "# a\n"]) {
      const view = new AnswerView();
      view.finish(filled(part), []);
      view.advance();
      expect(view.element.childElementCount).toBeLessThan(200);
      while (view.advance());
      expect(view.element.childElementCount).toBe(WINDOW / part.length);
      const pieces = new AnswerView();
      for (let end = 0; end < WINDOW; end += 500) stream(pieces, filled(part).slice(0, end));
      finish(pieces, filled(part));
      expect(pieces.element.innerHTML).toBe(view.element.innerHTML);
    }
  });
});

describe("a table", () => {
  it("is not filled up with cells that nobody wrote", () => {
    const bomb = `${filled("a|", 500)}\n${filled("-|", 500)}\n${filled("|\n", 3_000)}`;
    for (const text of [bomb, `> ${bomb.replaceAll("\n", "\n> ")}`, `- ${bomb.replaceAll("\n", "\n  ")}`]) {
      const { element } = shown(text);
      expect(element.querySelectorAll("*").length).toBeLessThan(5_000);
      expect(element.textContent).toContain("a|a|a|");
    }
  });

  it("may have cells that are empty or missing", () => {
    const { element } = shown("| a | b | c | d |\n|---|---|---|---|\n| 1 |\n||||\n| 2 | 3 |\n\nAfter.");
    expect(element.querySelectorAll("td")).toHaveLength(12);
  });
});

describe("what is inside each other", () => {
  it.each(["> ", ">", "- ", "1. ", "> - ", ">- "])("is so to a bound, and text beyond it: %s", (part) => {
    const { element } = shown(`${filled(part, 4_000)}end`);
    const depth = Math.max(...[...element.querySelectorAll("blockquote, li")].map((inner) => depthOf(inner)));
    expect(depth).toBeLessThan(45);
    expect(element.textContent).toContain("end");
  });

  it("is a list in a quotation in a list, as people write it", () => {
    const { element } = shown("- a\n  > b\n  > - c\n  >   - d\n  >     1. **e**");
    expect(element.querySelector("ul blockquote ul ul ol strong")?.textContent).toBe("e");
  });
});

function depthOf(element: Element): number {
  let depth = 0;
  for (let at: Element | null = element; at; at = at.parentElement) if (at.matches("blockquote, ul, ol")) depth++;
  return depth;
}

import { describe, expect, it } from "vitest";
import { AnswerView } from "../src/answer";
import { finish, stream } from "./page";

const TEXT = [
  "First *paragraph*\nwith two lines.",
  "## Heading",
  "1. one\n\n2. two\n   - inner\n\n3. three",
  "| a | b |\n|---|--:|\n| 1 | 2 |",
  "```python\ndef f():\n\n    return 1\n```",
  "> quoted\nlazily",
  "Setext\n===",
  "- [x] done\n- [ ] not done",
  "<div>raw</div>",
  "The end, https://example.org/a_b and **bold**.",
].join("\n\n");

function streamed(text: string, step: number): AnswerView {
  const view = new AnswerView();
  for (let length = 1; length < text.length; length += step) stream(view, text.slice(0, length));
  stream(view, text);
  return view;
}

function whole(text: string): string {
  const view = new AnswerView();
  finish(view, text);
  return view.element.innerHTML;
}

describe("a streamed answer", () => {
  it.each([1, 2, 3, 7, 50])("in steps of %i looks like the whole answer", (step) => {
    expect(streamed(TEXT, step).element.innerHTML).toBe(whole(TEXT));
  });

  it("does not render finished blocks again", () => {
    const view = new AnswerView();
    stream(view, "one\n\ntwo\n\nthree\n\nfour");
    const first = view.element.firstElementChild;
    stream(view, "one\n\ntwo\n\nthree\n\nfour, and more");
    finish(view, "one\n\ntwo\n\nthree\n\nfour, and more");
    expect(view.element.firstElementChild).toBe(first);
  });

  it("lets a long code block grow in place", () => {
    const view = new AnswerView();
    stream(view, "```js\nlet a");
    const frame = view.element.querySelector(".code");
    stream(view, "```js\nlet a = 1;\nlet b");
    stream(view, "```js\nlet a = 1;\nlet b = 2;\n```");
    expect(view.element.querySelector(".code")).toBe(frame);
    expect(frame?.querySelector("code")?.textContent).toBe("let a = 1;\nlet b = 2;");
    expect(frame?.querySelector(".lang")?.textContent).toBe("js");
  });

  it("is replaced when the text before was taken back", () => {
    const view = new AnswerView();
    stream(view, "one\n\ntwo\n\nthree\n\nfour");
    stream(view, "uno");
    expect(view.element.textContent?.trim()).toBe("uno");
  });

  it("finds its link definitions in the end", () => {
    const text = "see [this][1]\n\ntwo\n\nthree\n\n[1]: https://example.org/x";
    const view = streamed(text, 4);
    finish(view, text);
    expect(view.element.querySelector("a")?.getAttribute("href")).toBe("https://example.org/x");
  });

  it("survives a text that overflows the Markdown parser", () => {
    const view = new AnswerView();
    finish(view, ">".repeat(20_000));
    expect(view.element.textContent).toContain(">>>>");
  });
});

describe("sources", () => {
  const citations = [{ n: 1, title: "One" }, { n: 2, filename: "two.pdf" }];

  it("are marked in running text where they exist", () => {
    const view = new AnswerView();
    finish(view, "Said [1], coded `[2]`, unknown [3], ended [2].", citations);
    const marks = [...view.element.querySelectorAll("sup")];
    expect(marks.map((mark) => mark.dataset["source"])).toEqual(["1", "2"]);
    expect(view.element.textContent).toContain("unknown [3]");
    expect(view.element.textContent).toContain("Said1, coded [2]");
  });

  it("mark an answer that was streamed without them", () => {
    const view = streamed("one [1]\n\ntwo [2]\n\nthree\n\nfour", 3);
    finish(view, "one [1]\n\ntwo [2]\n\nthree\n\nfour", citations);
    expect(view.element.querySelectorAll("sup")).toHaveLength(2);
  });
});

describe("Markdown", () => {
  it("keeps the alignment of columns and the start of lists", () => {
    const view = new AnswerView();
    finish(view, "| a |\n|--:|\n| 1 |\n\n5. five");
    expect(view.element.querySelector("td")?.getAttribute("align")).toBe("right");
    expect(view.element.querySelector("ol")?.getAttribute("start")).toBe("5");
  });

  it("breaks lines where the assistant breaks them", () => {
    expect(whole("a\nb")).toContain("<br>");
  });
});

it("puts the headings of an answer below the chat's own in the outline of the page", () => {
  const view = new AnswerView();
  finish(view, "# One\n\n### Three\n\n###### Six");
  expect([...view.element.querySelectorAll("[aria-level]")].map((heading) => heading.getAttribute("aria-level"))).toEqual(["3", "5", "6"]);
});

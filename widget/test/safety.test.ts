/** No answer may run script, load anything, or bring elements and attributes of its own choice. */
import { describe, expect, it } from "vitest";
import { AnswerView } from "../src/answer";
import { safeLink, sanitised } from "../src/sanitise";
import { ATTACKS } from "./attacks";
import { faults, finish, stream } from "./page";

function shown(text: string): HTMLElement {
  const view = new AnswerView();
  document.body.replaceChildren(view.element);
  finish(view, text);
  return view.element;
}

describe("an answer that attacks", () => {
  it.each(ATTACKS.map((text) => [text]))("is inert: %s", (text) => {
    expect(faults(shown(text))).toEqual([]);
    expect("hit" in globalThis).toBe(false);
  });

  it("is inert at every moment while it streams", () => {
    for (const text of ATTACKS) {
      const view = new AnswerView();
      for (let length = 1; length <= text.length; length += 3) {
        stream(view, text.slice(0, length));
        expect(faults(view.element)).toEqual([]);
      }
    }
  });

  it("is inert among all the others", () => {
    expect(faults(shown(ATTACKS.join("\n\n")))).toEqual([]);
    expect("hit" in globalThis).toBe(false);
  });
});

describe("the second wall alone", () => {
  // Should Markdown ever let raw HTML through, these must still be inert.
  it.each(ATTACKS.map((text) => [text]))("holds: %s", (html) => {
    const root = document.createElement("div");
    root.append(sanitised(html) ?? "");
    // Here the text's own <p>, <a> … may stand, but nothing beyond.
    expect(faults(root).filter((fault) => !fault.startsWith("code[class=language-"))).toEqual([]);
  });
});

describe("links", () => {
  it("go to http, https and mailto only", () => {
    for (const href of ["https://a.example/x?y#z", "http://a.example", "mailto:a@b.example"]) expect(safeLink(href)).toBe(href);
    for (const href of ["javascript:1", "data:,x", "/x", "//x.example", "x.html", "", null, undefined, "ftp://x", "https://"]) {
      expect(safeLink(href)).toBeNull();
    }
  });
});

describe("raw HTML", () => {
  it("is shown as text", () => {
    expect(shown("a <b>c</b>").textContent).toContain("a <b>c</b>");
    expect(shown("<div>\nx\n</div>").textContent).toContain("<div>");
  });
});

describe("images", () => {
  it("become links with their description", () => {
    const link = shown("![a cat](https://pictures.example/cat.png)").querySelector("a");
    expect(link?.textContent).toBe("a cat");
    expect(link?.getAttribute("href")).toBe("https://pictures.example/cat.png");
  });
});

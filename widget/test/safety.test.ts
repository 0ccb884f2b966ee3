/** No answer may run script, load anything, or bring elements and attributes of its own choice. */
import { describe, expect, it } from "vitest";
import { AnswerView } from "../src/answer";
import { safeLink, sanitised } from "../src/sanitise";
import { ATTACKS } from "./attacks";

const ELEMENTS = new Set(
  ("div p br hr h1 h2 h3 h4 h5 h6 strong em del code pre blockquote ul ol li table thead tbody tr th td a " +
    // Ours: frames, copy buttons with their icon.
    "span button svg path").split(" "),
);

/** What an element may carry: from the text, or from us where the value cannot come from the text. */
const ATTRIBUTES: Record<string, readonly string[]> = {
  a: ["href", "target", "rel"],
  ol: ["start"],
  th: ["align"],
  td: ["align"],
  div: ["class", "dir", "tabindex", "role", "aria-label"],
  pre: ["tabindex", "dir"],
  span: ["class"],
  button: ["class", "type", "aria-label"],
  svg: ["viewBox", "aria-hidden", "class"],
  path: ["d"],
};

function shown(text: string): HTMLElement {
  const view = new AnswerView();
  document.body.replaceChildren(view.element);
  view.finish(text, []);
  return view.element;
}

function faults(root: Element): string[] {
  const found: string[] = [];
  for (const element of root.querySelectorAll("*")) {
    if (!ELEMENTS.has(element.localName)) found.push(`<${element.localName}>`);
    for (const { name, value } of element.attributes) {
      if (!ATTRIBUTES[element.localName]?.includes(name)) found.push(`${element.localName}[${name}=${value}]`);
      if (name === "href" && !/^(https?:\/\/|mailto:)/i.test(value)) found.push(`href ${value}`);
    }
    if (element.localName === "a" && element.hasAttribute("href")) {
      if (element.getAttribute("rel") !== "noopener noreferrer" || element.getAttribute("target") !== "_blank") found.push("link");
    }
    if (element.classList.length > 1 && !element.closest("svg")) found.push(`class ${element.className}`);
  }
  return found;
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
        view.stream(text.slice(0, length));
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

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readOptions } from "../src/options";
import { surroundings } from "../src/surroundings";

let said: string[];

beforeEach(() => {
  said = [];
  vi.spyOn(console, "warn").mockImplementation((sentence: string) => void said.push(sentence));
});

afterEach(() => {
  vi.restoreAllMocks();
  history.replaceState(null, "", "/");
  document.title = "";
});

describe("the script tag's options", () => {
  it("ask for nothing when there are none", () => {
    expect(readOptions({})).toEqual({ prompts: [], theme: "auto", open: false, userToken: null, page: "path" });
    expect(said).toEqual([]);
  });

  it("are taken as they stand", () => {
    const texts = { title: "Ask <b>us</b>", greeting: "Hello", intro: "We know.", accent: "orange", target: "#chat" };
    const choices = { theme: "dark", position: "left", language: "de-AT", page: "full" } as const;
    expect(readOptions({ ...texts, ...choices, userToken: "a.b.c" })).toMatchObject({ ...texts, ...choices, userToken: "a.b.c" });
    expect(said).toEqual([]);
  });

  it("separate starter prompts by a line, and leave out empty ones", () => {
    expect(readOptions({ prompts: " One? | |Two, or three?|" }).prompts).toEqual(["One?", "Two, or three?"]);
    expect(readOptions({ prompts: "" }).prompts).toEqual([]);
  });

  it.each([
    ["", true],
    ["true", true],
    ["false", false],
  ])("open: data-open=%o", (open, opens) => {
    expect(readOptions({ open }).open).toBe(opens);
    expect(said).toEqual([]);
  });

  it.each([
    ["theme", "black", "auto, light, dark"],
    ["position", "top", "right, left"],
    ["open", "yes", "true, false"],
    ["page", "title", "path, full, off"],
    ["language", "tlh", "ar, de, en, es, fr"],
    ["language", "constructor", "ar, de, en, es, fr"],
  ])("say what data-%s=%o may be", (name, value, allowed) => {
    const { [name as "theme"]: got } = readOptions({ [name]: value }) as { theme?: unknown };
    expect(said).toEqual([`assistant-chat: data-${name}="${value}" is none of ${allowed}`]);
    expect(got).toEqual(name === "language" ? value : readOptions({})[name as "theme"]);
  });
});

describe("the page that goes with a message", () => {
  beforeEach(() => {
    history.replaceState(null, "", "/prices?session=secret#part");
    document.title = "Prices";
  });

  it("is its address without what may be private, and its title", () => {
    expect(surroundings("path")).toEqual({ page_url: "http://localhost:3000/prices", page_title: "Prices" });
  });

  it("has the query where the site wants it, never the fragment", () => {
    expect(surroundings("full")?.page_url).toBe("http://localhost:3000/prices?session=secret");
  });

  it("is nothing where the site does not want it", () => {
    expect(surroundings("off")).toBeUndefined();
  });

  it("is never what the server would refuse the message for", () => {
    document.title = "half \ud83d of \0 a \ude00 smile 😀";
    expect(surroundings("path")?.page_title).toBe("half  of  a  smile 😀");
  });
});

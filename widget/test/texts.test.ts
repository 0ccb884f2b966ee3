import { afterEach, describe, expect, it } from "vitest";
import protocol from "../../docs/protocol.md?raw";
import ar from "../src/texts/ar.json";
import de from "../src/texts/de.json";
import en from "../src/texts/en.json";
import es from "../src/texts/es.json";
import fr from "../src/texts/fr.json";
import { fill, language, sentence, speak, texts } from "../src/texts";

const OTHERS: Record<string, Record<string, string>> = { ar, de, es, fr };

afterEach(() => speak([]));

describe.each(Object.entries(OTHERS))("the dictionary %s", (tag, dictionary) => {
  it("has the keys of the English one, in its order", () => {
    expect(Object.keys(dictionary)).toEqual(Object.keys(en));
  });

  it("fills in the same values and has no empty or broken line", () => {
    for (const [key, text] of Object.entries(dictionary)) {
      expect(text.trim(), key).toBe(text);
      expect(text, key).toMatch(/^[^\n]+$/);
      expect(text.match(/\{\d\}/g) ?? [], key).toEqual(en[key as keyof typeof en].match(/\{\d\}/g) ?? []);
    }
  });

  it("is what is said", () => {
    speak([tag]);
    expect(texts).toEqual(dictionary);
  });
});

describe("speaking", () => {
  it("takes the first language that it knows, with its region", () => {
    speak([null, "", "tlh", "de-AT", "fr"]);
    expect(texts.send).toBe("Senden");
    expect(language).toEqual({ tag: "de-AT", dir: "ltr" });
  });

  it("takes the language alone of a tag that is none", () => {
    speak(["de-"]);
    expect(language.tag).toBe("de");
  });

  it("writes Arabic from right to left", () => {
    speak(["ar-EG"]);
    expect(language.dir).toBe("rtl");
  });

  it("speaks English where it knows none, and again after another", () => {
    speak(["fr"]);
    speak(["tlh"]);
    expect(texts).toEqual(en);
    expect(language).toEqual({ tag: "en", dir: "ltr" });
  });

  it("fills values in by their place", () => {
    expect(fill("{1} of {0}", 5, 2)).toBe("2 of 5");
  });

  it("tells an error in the reader's language, or in the server's words where those say more", () => {
    const busy = { code: "busy", message: "Three messages are waiting." };
    expect(sentence(busy)).toBe("Three messages are waiting.");
    speak(["es"]);
    expect(sentence(busy)).toBe(es.busy);
    expect(sentence({ code: "too_odd", message: "Odd." })).toBe("Odd.");
  });

  /** Those that this widget never brings about, or that it tells by itself before it asks. */
  const UNSEEN = ["not_signed_in", "too_long", "unauthorized", "unknown_event"];
  const table = protocol.split("\n## Error codes\n")[1]!.split("\n## ")[0]!;
  const codes = [...table.matchAll(/^\| `(\w+)` \|/gm)].map((row) => row[1]!);

  it.each(codes.filter((code) => !UNSEEN.includes(code)))("knows the error %s in every language", (code) => {
    speak(["fr"]);
    expect(Object.values(fr)).toContain(sentence({ code, message: "In English." }));
  });

  it("is asked about every code of the protocol", () => {
    expect(codes).toEqual(expect.arrayContaining([...UNSEEN, "internal", "bad_user_token"]));
  });
});

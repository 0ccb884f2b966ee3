import { beforeEach, describe, expect, it, vi } from "vitest";
import { Feedback } from "../src/feedback";
import { turnFromWire } from "../src/turn";
import type { Rating, WireError } from "../src/wire";
import { wireTurn } from "./samples";

interface Rated {
  rating: Rating;
  comment: string | undefined;
  answer(error?: WireError): Promise<void>;
}

let rated: Rated[];
let feedback: Feedback;

const turn = turnFromWire(wireTurn("t1", { answer: "**Yes.**" }));
const find = <T extends HTMLElement>(name: string): T => feedback.element.querySelector<T>(name)!;
const text = (): HTMLTextAreaElement => find("[data-test=comment]");
const said = (): string | null => find("[data-test=said]").textContent;
const isOpen = (): boolean => !find("form").hidden;

function press(key: string, over: KeyboardEventInit = {}): KeyboardEvent {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...over });
  text().dispatchEvent(event);
  return event;
}

beforeEach(() => {
  rated = [];
  vi.stubGlobal("matchMedia", () => ({ matches: true }));
  Element.prototype.scrollIntoView = () => undefined;
  feedback = new Feedback((_, rating, comment) => {
    feedback.show({ ...turn, feedback: rating });
    return new Promise((resolve) => {
      const answer = async (error: WireError | null = null): Promise<void> => {
        resolve(error);
        for (let step = 0; step < 5; step++) await Promise.resolve();
      };
      rated.push({ rating, comment, answer });
    });
  });
  feedback.show(turn);
  document.body.replaceChildren(feedback.element);
});

describe("a thumb", () => {
  it("is told at once and opens a form for a comment", () => {
    find("[data-test=up]").click();
    expect(rated.map(({ rating, comment }) => [rating, comment])).toEqual([["up", undefined]]);
    expect([isOpen(), document.activeElement]).toEqual([true, text()]);
  });

  it("takes the rating back when pressed again, and the form goes", () => {
    find("[data-test=up]").click();
    find("[data-test=up]").click();
    expect(rated.map(({ rating }) => rating)).toEqual(["up", null]);
    expect(isOpen()).toBe(false);
  });

  it("brings no keyboard over the page of a finger", () => {
    vi.stubGlobal("matchMedia", () => ({ matches: false }));
    find("[data-test=down]").click();
    expect(document.activeElement).not.toBe(text());
  });
});

describe("a comment", () => {
  beforeEach(() => find("[data-test=down]").click());

  it("goes with its rating by Enter, is thanked for, and leads back to the thumb", async () => {
    text().value = " too long ";
    press("Enter");
    expect([rated[1]!.rating, rated[1]!.comment]).toEqual(["down", "too long"]);
    await rated[1]!.answer();
    expect([said(), isOpen(), text().value]).toEqual(["Thank you!", false, ""]);
    expect(document.activeElement).toBe(find("[data-test=down]"));
  });

  it("is sent once, however often Enter is pressed", () => {
    text().value = "once";
    press("Enter");
    press("Enter");
    expect(rated).toHaveLength(2);
  });

  it("has lines, and words that are composed", () => {
    text().value = "日本";
    expect(press("Enter", { shiftKey: true }).defaultPrevented).toBe(false);
    expect(press("Enter", { isComposing: true }).defaultPrevented).toBe(false);
    // Safari's way to say it.
    expect(press("Enter", { keyCode: 229 }).defaultPrevented).toBe(false);
    expect(rated).toHaveLength(1);
  });

  it("that was refused stays, with what happened and its rating, and can go again", async () => {
    text().value = "again";
    press("Enter");
    await rated[1]!.answer({ code: "odd", message: "Not now." });
    expect([said(), isOpen(), text().value]).toEqual(["Not now.", true, "again"]);
    feedback.show(turn);
    press("Enter");
    expect([rated[2]!.rating, rated[2]!.comment]).toEqual(["down", "again"]);
  });

  it("is measured in characters, not in halves of them", () => {
    text().value = "😀".repeat(2_001);
    press("Enter");
    expect([rated.length, said()]).toEqual([1, "This message is too long: 2001 of at most 2000 characters."]);
    text().value = "😀".repeat(2_000);
    press("Enter");
    expect(rated).toHaveLength(2);
  });

  it("is put away by Escape, which closes nothing else, and by sending nothing", () => {
    let outside = 0;
    document.body.addEventListener("keydown", () => outside++, { once: true });
    text().value = "half a thought";
    press("Escape");
    expect([isOpen(), outside, document.activeElement]).toEqual([false, 0, find("[data-test=down]")]);
    find("[data-test=up]").click();
    text().value = "  ";
    press("Enter");
    expect([isOpen(), rated.length]).toEqual([false, 2]);
  });
});

it("copies the answer as it was written", async () => {
  const written: string[] = [];
  vi.stubGlobal("navigator", { clipboard: { writeText: async (words: string) => void written.push(words) } });
  find("[data-test=copy]").click();
  await vi.waitFor(() => expect(said()).toBe("Copied"));
  expect(written).toEqual(["**Yes.**"]);
  vi.unstubAllGlobals();
});

/** How the list of turns shares its time, on a page without a layout. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Chat } from "../src/chat";
import { Thread } from "../src/thread";
import { sessionEvent, told, wireTurn } from "./samples";

const nothing = (): void => undefined;

function chatOf(...answers: string[]): Chat {
  const turns = answers.map((answer, index) => wireTurn(`t${index}`, { answer }));
  return { conversation: told(sessionEvent({ turns })), outbox: [], online: true, everOnline: true, requests: {} } as unknown as Chat;
}

beforeEach(() => void vi.stubGlobal("ResizeObserver", class { observe(): void {} }));
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

describe("a conversation of long answers", () => {
  const long = `${"words ".repeat(200)}\n\n`.repeat(20);

  it("is shown over several frames, the newest turn first", () => {
    const thread = new Thread({ rate: async () => null, ask: nothing, sendAgain: nothing, discard: nothing }, nothing, nothing);
    const chat = chatOf(long, "short", long);
    const lengths = (): number[] => [...thread.element.querySelectorAll(".answer")].map((answer) => answer.textContent.match(/\w+/g)?.length ?? 0);
    // Each look at the clock is 4 ms later, and a step looks once.
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => (now += 4));
    expect(thread.show(chat)).toBe(true);
    const [oldest, middle, newest] = lengths();
    expect([oldest, middle]).toEqual([0, 0]);
    expect(newest).toBeGreaterThan(200);
    let frames = 1;
    while (thread.show(chat)) frames++;
    expect(frames).toBeGreaterThan(4);
    expect(lengths()).toEqual([4_000, 1, 4_000]);
    expect(thread.show(chat)).toBe(false);
  });
});

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Chat } from "../src/chat";
import { MemoryLine } from "./line";
import { piece, sessionEvent, started } from "./samples";

let line: MemoryLine;
let chat: Chat;

beforeEach(() => {
  vi.useFakeTimers();
  line = new MemoryLine();
  chat = new Chat({ read: () => null, write: () => undefined }, () => line, "No answer.");
});

afterEach(() => {
  chat.close();
  vi.useRealTimers();
});

describe("holes and silence", () => {
  it("asks for a hole at once, and not twice at a time", async () => {
    chat.heard(sessionEvent());
    chat.heard(started("t1"));
    chat.heard(piece("t1", 0, "a"));
    chat.heard(piece("t1", 2, "c"));
    chat.heard(piece("t1", 3, "d"));
    expect(line.of("resume").map(({ payload }) => payload)).toEqual([{ turn_id: "t1", after_seq: 0 }]);
    await line.last("resume").answer({ ok: true, state: "running", pieces: [{ seq: 1, text: "b" }] });
    expect(chat.conversation.turns[0]).toMatchObject({ answer: "abcd", seq: 3 });
    vi.advanceTimersByTime(5_000);
    expect(line.of("resume")).toHaveLength(1);
  });

  it("asks again, but not in a tight loop, while a hole stays open", async () => {
    chat.heard(sessionEvent());
    chat.heard(started("t1"));
    chat.heard(piece("t1", 2, "c"));
    await line.last("resume").answer({ ok: true, state: "running", pieces: [] });
    expect(line.of("resume")).toHaveLength(1);
    vi.advanceTimersByTime(1_100);
    expect(line.of("resume")).toHaveLength(2);
  });

  it("asks after 15 silent seconds of an open turn", async () => {
    chat.heard(sessionEvent());
    chat.heard(started("t1"));
    vi.advanceTimersByTime(13_000);
    chat.heard(piece("t1", 0, "a"));
    vi.advanceTimersByTime(13_000);
    expect(line.of("resume")).toEqual([]);
    vi.advanceTimersByTime(3_000);
    expect(line.last("resume").payload).toEqual({ turn_id: "t1", after_seq: 0 });
    const end = { turn_id: "t1", state: "complete", text: "ab", seq: 1, citations: [] };
    await line.last("resume").answer({ ok: true, state: "complete", pieces: [], finished: end });
    expect(chat.conversation.turns[0]).toMatchObject({ state: "complete", answer: "ab" });
    vi.advanceTimersByTime(60_000);
    expect(line.of("resume")).toHaveLength(1);
  });

  it("does not ask while there is no connection", () => {
    chat.heard(sessionEvent());
    chat.heard(started("t1"));
    chat.disconnected();
    vi.advanceTimersByTime(60_000);
    expect(line.of("resume")).toEqual([]);
  });

  it("ends a turn that the server does not know any more", async () => {
    chat.heard(sessionEvent());
    chat.heard(started("t1"));
    vi.advanceTimersByTime(16_000);
    await line.last("resume").answer({ ok: false, error: { code: "unknown_turn", message: "No such turn." } });
    expect(chat.conversation.turns[0]?.state).toBe("interrupted");
  });
});

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Chat } from "../src/chat";
import { MemoryDrawer, MemoryLine, WORDS } from "./line";
import { piece, sessionEvent, started, wireTurn } from "./samples";

let line: MemoryLine;
let chat: Chat;

beforeEach(() => {
  vi.useFakeTimers();
  line = new MemoryLine();
  chat = new Chat({ read: () => null, write: () => undefined }, new MemoryDrawer(), () => line, WORDS);
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

  it("asks anew on the next connection, whatever became of the question on the last one", async () => {
    chat.heard(sessionEvent());
    chat.heard(started("t1"));
    chat.heard(piece("t1", 2, "c"));
    const old = line.last("resume");
    chat.disconnected();
    chat.heard(sessionEvent({ turns: [wireTurn("t1", { state: "running" })] }));
    chat.heard(piece("t1", 2, "c"));
    expect(line.of("resume")).toHaveLength(2);
    await old.lose();
    vi.advanceTimersByTime(5_000);
    expect(line.of("resume"), "one question at a time").toHaveLength(2);
    await line.last("resume").answer({ ok: true, state: "running", pieces: [{ seq: 0, text: "a" }, { seq: 1, text: "b" }] });
    expect(chat.conversation.turns[0]).toMatchObject({ answer: "abc" });
  });

  it("asks at once for an open turn that lies before all that a session tells", async () => {
    chat.heard(sessionEvent());
    for (const id of ["t1", "t2", "t3"]) chat.heard(started(id));
    chat.disconnected();
    chat.heard(sessionEvent({ turns: [wireTurn("t3"), wireTurn("t4")] }));
    expect(line.of("resume").map(({ payload }) => payload["turn_id"])).toEqual(["t1", "t2"]);
    const end = { turn_id: "t1", state: "complete", text: "one", seq: 0, citations: [] };
    await line.of("resume")[0]!.answer({ ok: true, state: "complete", reset: { text: "one", seq: 0 }, finished: end });
    expect(chat.conversation.turns[0]).toMatchObject({ state: "complete", answer: "one" });
  });

  it("fetches the running turn when so many wait behind it that the session does not tell it", async () => {
    const waiting = Array.from({ length: 20 }, (_, index) => wireTurn(`w${index}`, { state: "queued" }));
    const running = { turn_id: "t0", text: "ab", seq: 1, state: "running" as const };
    chat.heard(sessionEvent({ turns: waiting, running }));
    expect(line.last("history").payload).toMatchObject({ before: "w0" });
    const turns = [wireTurn("t0", { state: "running", at: "2024-01-01T00:00:00Z" })];
    await line.last("history").answer({ ok: true, turns, more: false });
    chat.heard(piece("t0", 2, "c"));
    await line.last("resume").answer({ ok: true, state: "running", reset: { text: "abc", seq: 2 } });
    expect(chat.conversation.turns[0]).toMatchObject({ id: "t0", answer: "abc", state: "running" });
  });

  it("ends a turn that the server does not know any more", async () => {
    chat.heard(sessionEvent());
    chat.heard(started("t1"));
    vi.advanceTimersByTime(16_000);
    await line.last("resume").answer({ ok: false, error: { code: "unknown_turn", message: "No such turn." } });
    expect(chat.conversation.turns[0]?.state).toBe("interrupted");
  });
});

import { describe, expect, it } from "vitest";
import { type Conversation, type ConversationEvent, after, openTurn, reduce } from "../src/conversation";
import type { Resumed } from "../src/wire";
import { piece, session, sessionEvent, started, told, turn, wireTurn } from "./samples";

describe("after a reconnect", () => {
  const streaming = told(sessionEvent(), started("t1"), piece("t1", 0, "a"), piece("t1", 1, "b"));
  const open = wireTurn("t1", { state: "running" });

  it("what is known is presented and goes on without loss or repetition", () => {
    expect(after(streaming)).toEqual({ turn_id: "t1", seq: 1 });
    const running = { turn_id: "t1", text: "abc", seq: 2, state: "answering" as const };
    const state = [
      { type: "disconnected" } as const,
      piece("t1", 2, "c"),
      sessionEvent({ turns: [open], running }),
      piece("t1", 2, "c"),
      piece("t1", 3, "d"),
    ].reduce<Conversation>(reduce, streaming);
    expect(turn(state)).toMatchObject({ answer: "abcd", seq: 3 });
  });

  it("`resumed` pieces are taken for the turn that was named", () => {
    const resumed: Resumed = { ok: true, state: "running", pieces: [{ seq: 1, text: "b" }, { seq: 2, text: "c" }] };
    const state = reduce(reduce(streaming, { type: "disconnected" }), {
      type: "session",
      session: session({ turns: [open], resumed }),
      after: "t1",
    });
    expect(turn(state)).toMatchObject({ answer: "abc", seq: 2 });
  });

  it("a turn that ended meanwhile is shown as it ended", () => {
    const ended = wireTurn("t1", { state: "interrupted", answer: "a" });
    const state = reduce(streaming, sessionEvent({ turns: [ended] }));
    expect(turn(state)).toMatchObject({ answer: "a", state: "interrupted" });
    expect(openTurn(state)).toBeUndefined();
  });

  it("a snapshot older than what is shown takes nothing back", () => {
    const running = { turn_id: "t1", text: "a", seq: 0, state: "answering" as const };
    const state = reduce(streaming, sessionEvent({ turns: [open], running }));
    expect(turn(state)).toMatchObject({ answer: "ab", seq: 1 });
  });

  it("events of the old connection that waited are forgotten", () => {
    const state = told(piece("t1", 0, "a"), { type: "disconnected" });
    expect(state.early).toEqual([]);
  });

  it("another conversation replaces everything, and why is kept", () => {
    const state = reduce(streaming, sessionEvent({ conversation_uuid: "c2", renewed: "expired" }));
    expect(state).toMatchObject({ id: "c2", turns: [], renewed: "expired" });
    expect(reduce(state, sessionEvent({ conversation_uuid: "c2" })).renewed).toBe("expired");
    expect(reduce(state, sessionEvent({ conversation_uuid: "c3" })).renewed).toBeNull();
  });

  it("history that was loaded stays in front", () => {
    const full = Array.from({ length: 20 }, (_, index) => wireTurn(`n${index}`));
    const older = [wireTurn("o1", { at: "2024-01-01T00:00:00Z" }), wireTurn("o2", { at: "2024-01-02T00:00:00Z" })];
    const page: ConversationEvent = { type: "history", page: { ok: true, turns: older, more: true } };
    const state = told(sessionEvent({ turns: full }), page, sessionEvent({ turns: full }));
    expect(state.turns.slice(0, 3).map(({ id }) => id)).toEqual(["o1", "o2", "n0"]);
    expect(state.turns).toHaveLength(22);
    expect(state.more).toBe(true);
  });
});

describe("history", () => {
  it("is asked for when a session is full", () => {
    const full = Array.from({ length: 20 }, (_, index) => wireTurn(`n${index}`));
    expect(told(sessionEvent({ turns: full })).more).toBe(true);
    expect(told(sessionEvent({ turns: full.slice(1) })).more).toBe(false);
  });

  it("is put in order, once, and says when there is no more", () => {
    const older = [wireTurn("o2", { at: "2024-01-02T00:00:00Z" }), wireTurn("o1", { at: "2024-01-01T00:00:00Z" }), wireTurn("t1")];
    const state = told(sessionEvent({ turns: [wireTurn("t1")] }), { type: "history", page: { ok: true, turns: older, more: false } });
    expect(state.turns.map(({ id }) => id)).toEqual(["o1", "o2", "t1"]);
    expect(state.more).toBe(false);
  });
});

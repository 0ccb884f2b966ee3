import { describe, expect, it } from "vitest";
import { type Conversation, type ConversationEvent, after, openTurn, reduce } from "../src/conversation";
import type { Resumed } from "../src/wire";
import { finished, piece, session, sessionEvent, started, told, turn, wireTurn } from "./samples";

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

  it("pieces and the end that come together are the end, whether the session tells the turn or not", () => {
    const end = { turn_id: "t1", state: "complete" as const, text: "abcd", seq: 3, citations: [{ n: 1 }] };
    const resumed: Resumed = { ok: true, state: "complete", pieces: [{ seq: 2, text: "c" }, { seq: 3, text: "d" }], finished: end };
    const cut = reduce(reduce(streaming, started("t2")), { type: "disconnected" });
    for (const turns of [[wireTurn("t1", { answer: "abcd" }), wireTurn("t2")], [wireTurn("t2")]]) {
      const state = reduce(cut, { type: "session", session: session({ turns, resumed }), after: "t1" });
      expect(turn(state)).toMatchObject({ answer: "abcd", seq: 3, state: "complete", citations: [{ n: 1 }] });
    }
  });

  it("three cuts in a row end with every piece once", () => {
    let state = streaming;
    for (const [seq, text] of [[2, "c"], [3, "d"], [4, "e"]] as const) {
      const pieces = Array.from("abcde", (letter, index) => ({ seq: index, text: letter })).slice(1, seq + 1);
      state = reduce(state, { type: "disconnected" });
      state = reduce(state, piece("t1", seq, text));
      state = reduce(state, { type: "session", session: session({ turns: [open], resumed: { ok: true, state: "running", pieces } }), after: "t1" });
      expect(turn(state).seq).toBe(seq);
    }
    expect(turn(state).answer).toBe("abcde");
  });

  it("what came before the second session is taken after it", () => {
    const state = [
      { type: "disconnected" } as const,
      started("t2"),
      piece("t2", 0, "x"),
      finished("t1", "ab!", { seq: 2 }),
      sessionEvent({ turns: [open] }),
    ].reduce<Conversation>(reduce, streaming);
    expect(turn(state)).toMatchObject({ answer: "ab!", state: "complete" });
    expect(turn(state, "t2")).toMatchObject({ answer: "x" });
  });

  it("a turn that waits says so, also to a page that comes later", () => {
    expect(turn(told(sessionEvent({ turns: [wireTurn("t1", { state: "queued" })] })))).toMatchObject({ activity: "queued" });
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
  it("is offered when the server has older turns than those of the session", () => {
    const full = Array.from({ length: 20 }, (_, index) => wireTurn(`n${index}`));
    expect(told(sessionEvent({ turns: full, more: true })).more).toBe(true);
    expect(told(sessionEvent({ turns: full })).more).toBe(false);
  });

  it("is put in order, once, and says when there is no more", () => {
    const older = [wireTurn("o2", { at: "2024-01-02T00:00:00Z" }), wireTurn("o1", { at: "2024-01-01T00:00:00Z" }), wireTurn("t1")];
    const state = told(sessionEvent({ turns: [wireTurn("t1")] }), { type: "history", page: { ok: true, turns: older, more: false } });
    expect(state.turns.map(({ id }) => id)).toEqual(["o1", "o2", "t1"]);
    expect(state.more).toBe(false);
  });
});

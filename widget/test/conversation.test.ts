import { describe, expect, it } from "vitest";
import { type ConversationEvent, holes, openTurn, reduce } from "../src/conversation";
import type { Resumed } from "../src/wire";
import { finished, piece, sessionEvent, started, told, turn, wireTurn } from "./samples";

function resumed(answer: Partial<Resumed>, id = "t1"): ConversationEvent {
  return { type: "resumed", turnId: id, resumed: { ok: true, state: "running", ...answer } };
}

describe("pieces", () => {
  it("in order are the answer", () => {
    const state = told(sessionEvent(), started("t1"), piece("t1", 0, "a"), piece("t1", 1, "b"));
    expect(turn(state)).toMatchObject({ answer: "ab", seq: 1, state: "running", question: "question t1" });
  });

  it("that come twice count once", () => {
    const state = told(sessionEvent(), started("t1"), piece("t1", 0, "a"), piece("t1", 0, "a"), piece("t1", 1, "b"), piece("t1", 0, "a"));
    expect(turn(state).answer).toBe("ab");
  });

  it("beyond a hole wait, and the hole is reported", () => {
    const state = told(sessionEvent(), started("t1"), piece("t1", 0, "a"), piece("t1", 2, "c"));
    expect(turn(state).answer).toBe("a");
    expect(holes(state)).toEqual([{ turn_id: "t1", after_seq: 0 }]);
  });

  it("in any order end as the same text", () => {
    const pieces = ["a", "b", "c", "d"].map((text, seq) => piece("t1", seq, text));
    for (const order of [[3, 2, 1, 0], [1, 0, 3, 2], [0, 2, 1, 3], [2, 0, 3, 1]]) {
      const state = told(sessionEvent(), started("t1"), ...order.map((index) => pieces[index]!));
      expect(turn(state)).toMatchObject({ answer: "abcd", seq: 3 });
      expect(holes(state)).toEqual([]);
    }
  });

  it("of an unknown turn are ignored", () => {
    const before = told(sessionEvent(), started("t1"));
    expect(reduce(before, piece("other", 0, "x"))).toBe(before);
    expect(reduce(before, finished("other", "x"))).toBe(before);
  });

  it("after the end change nothing", () => {
    const state = told(sessionEvent(), started("t1"), piece("t1", 0, "a"), finished("t1", "a", { seq: 0 }), piece("t1", 1, "late"));
    expect(turn(state)).toMatchObject({ answer: "a", state: "complete" });
  });

  it("before the session wait for it", () => {
    const waiting = told(piece("t1", 3, "d"), piece("t1", 4, "e"));
    expect(waiting.turns).toEqual([]);
    const running = { turn_id: "t1", text: "abcd", seq: 3, state: "answering" as const };
    const state = reduce(waiting, sessionEvent({ turns: [wireTurn("t1", { state: "running" })], running }));
    expect(turn(state)).toMatchObject({ answer: "abcde", seq: 4 });
    expect(state.early).toEqual([]);
  });

  it("of a turn that started before the session came are shown too", () => {
    const state = told(started("t1"), piece("t1", 0, "a"), finished("t1", "a", { seq: 0 }), sessionEvent());
    expect(turn(state)).toMatchObject({ answer: "a", state: "complete" });
  });
});

describe("a resume answer", () => {
  const holed = told(sessionEvent(), started("t1"), piece("t1", 0, "a"), piece("t1", 3, "d"));

  it("with pieces closes the hole and takes over what waited", () => {
    const state = reduce(holed, resumed({ pieces: [{ seq: 1, text: "b" }, { seq: 2, text: "c" }, { seq: 3, text: "d" }] }));
    expect(turn(state)).toMatchObject({ answer: "abcd", seq: 3 });
    expect(holes(state)).toEqual([]);
  });

  it("with a reset replaces the text", () => {
    const state = reduce(holed, resumed({ reset: { text: "abc", seq: 2 } }));
    expect(turn(state)).toMatchObject({ answer: "abcd", seq: 3 });
  });

  it("with an older reset than what is shown says nothing new", () => {
    const state = told(sessionEvent(), started("t1"), piece("t1", 0, "a"), piece("t1", 1, "b"), resumed({ reset: { text: "a", seq: 0 } }));
    expect(turn(state)).toMatchObject({ answer: "ab", seq: 1 });
  });

  it("of an interrupted turn may take back the end", () => {
    const state = told(
      sessionEvent(), started("t1"), piece("t1", 0, "a"), piece("t1", 1, "b"),
      resumed({ state: "interrupted", reset: { text: "a", seq: 0 } }),
    );
    expect(turn(state)).toMatchObject({ answer: "a", seq: 0, state: "interrupted" });
  });

  it("of a finished turn is its end", () => {
    const end = { turn_id: "t1", state: "complete" as const, text: "abcd!", seq: 4, citations: [{ n: 1, title: "s" }] };
    const state = reduce(holed, resumed({ state: "complete", pieces: [], finished: end }));
    expect(turn(state)).toMatchObject({ answer: "abcd!", state: "complete", citations: [{ n: 1 }] });
    expect(holes(state)).toEqual([]);
  });

  it("that refuses ends an open turn and leaves a final one alone", () => {
    const refused: ConversationEvent = { type: "resume_refused", turnId: "t1", error: { code: "unknown_turn", message: "No such turn." } };
    expect(turn(reduce(holed, refused))).toMatchObject({ state: "interrupted", error: { code: "unknown_turn" } });
    const done = reduce(holed, finished("t1", "x"));
    expect(reduce(done, refused)).toBe(done);
  });
});

describe("the end of a turn", () => {
  it("brings the authoritative text, whatever was streamed", () => {
    const state = told(sessionEvent(), started("t1"), piece("t1", 0, "draft"), finished("t1", "corrected", { seq: 0, corrected: true }));
    expect(turn(state).answer).toBe("corrected");
  });

  it("comes without harm a second time", () => {
    const once = told(sessionEvent(), started("t1"), finished("t1", "a"));
    expect(reduce(once, finished("t1", "a")).turns).toEqual(once.turns);
  });

  it("fills every hole", () => {
    const state = told(sessionEvent(), started("t1"), piece("t1", 5, "z"), finished("t1", "abcdez", { seq: 5 }));
    expect(turn(state).answer).toBe("abcdez");
    expect(holes(state)).toEqual([]);
  });

  it("keeps what failed and why", () => {
    const error = { code: "assistant_unavailable", message: "Not now." };
    const state = told(sessionEvent(), started("t1"), finished("t1", "half", { state: "failed", error }));
    expect(turn(state)).toMatchObject({ state: "failed", error, answer: "half" });
  });

  it("is not taken back by a late status", () => {
    const late: ConversationEvent = { type: "turn_status", status: { turn_id: "t1", state: "thinking" } };
    const state = told(sessionEvent(), started("t1"), finished("t1", "a"), late);
    expect(turn(state).state).toBe("complete");
  });
});

describe("a status", () => {
  it("tells what the assistant does", () => {
    const state = told(sessionEvent(), started("t1"), { type: "turn_status", status: { turn_id: "t1", state: "tool", detail: "Reading" } });
    expect(turn(state)).toMatchObject({ state: "running", activity: "tool", detail: "Reading" });
  });

  it("'queued' after the first piece is late", () => {
    const state = told(sessionEvent(), started("t1"), piece("t1", 0, "a"), { type: "turn_status", status: { turn_id: "t1", state: "queued" } });
    expect(turn(state).state).toBe("running");
  });
});

describe("acknowledgements", () => {
  const accepted: ConversationEvent = {
    type: "accepted",
    accepted: { ok: true, turn_id: "t1", client_id: "client-t1", duplicate: false },
    text: "hello",
    at: "2025-01-01T10:00:00Z",
  };

  it("make a turn, whether before or after turn_started", () => {
    for (const events of [[accepted, started("t1", "hello")], [started("t1", "hello"), accepted]]) {
      const state = told(sessionEvent(), ...events);
      expect(state.turns).toHaveLength(1);
      expect(turn(state)).toMatchObject({ question: "hello", clientId: "client-t1", state: "queued" });
    }
  });

  it("of a stop mark an open turn only", () => {
    const stopping: ConversationEvent = { type: "stopping", turnId: "t1", on: true };
    const state = told(sessionEvent(), started("t1"), stopping);
    expect(turn(state).stopping).toBe(true);
    const done = reduce(state, finished("t1", "a", { state: "stopped" }));
    expect(turn(done)).toMatchObject({ stopping: false, state: "stopped" });
    expect(reduce(done, stopping)).toBe(done);
  });

  it("of a rating are kept with the turn", () => {
    const state = told(sessionEvent({ turns: [wireTurn("t1")] }), { type: "turn_rated", rated: { turn_id: "t1", rating: "down" } });
    expect(turn(state).feedback).toBe("down");
  });
});

describe("the open turn", () => {
  it("is the running one, else the first that waits", () => {
    const state = told(sessionEvent(), started("t1"), started("t2"));
    expect(openTurn(state)?.id).toBe("t1");
    expect(openTurn(reduce(state, piece("t2", 0, "a")))?.id).toBe("t2");
    expect(openTurn(told(sessionEvent({ turns: [wireTurn("t1")] })))).toBeUndefined();
  });
});

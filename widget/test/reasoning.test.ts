/** What the model thought before it answered: kept with its turn, folded above the answer, part of nothing else. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Chat } from "../src/chat";
import type { ServerEvent } from "../src/conversation";
import { Herald } from "../src/herald";
import { thoughtFor } from "../src/reasoning";
import { sentence, speak } from "../src/texts";
import { View } from "../src/view";
import type { HistoryPage, Resumed, TurnFinished, TurnState } from "../src/wire";
import { MemoryDrawer, MemoryLine, WORDS } from "./line";
import { finished, piece, sessionEvent, started, told, turn, wireTurn } from "./samples";

const DEEP = { text: "First the question.\n  Then <b>this</b>.", seconds: 12.3 };

function thought(id: string, text = DEEP.text, seconds = DEEP.seconds): ServerEvent {
  return { type: "turn_reasoning", reasoning: { turn_id: id, text, seconds } };
}

afterEach(() => speak([]));

describe("the reasoning of a turn", () => {
  it("comes before the answer, is replaced by a later one, and stays when the turn ends without a word of it", () => {
    const before = told(sessionEvent(), started("t1"), thought("t1", "one", 1), thought("t1", "one and two", 2));
    expect(turn(before).reasoning).toEqual({ text: "one and two", seconds: 2 });
    expect(turn(told(sessionEvent(), started("t1"), thought("t1"), piece("t1", 0, "a"), finished("t1", "a"))).reasoning).toEqual(DEEP);
  });

  it("is in the end what the end says", () => {
    const state = told(sessionEvent(), started("t1"), thought("t1", "half"), finished("t1", "a", { reasoning: DEEP }), thought("t1", "late"));
    expect(turn(state).reasoning).toEqual(DEEP);
    expect(turn(told(sessionEvent(), started("t1"), finished("t1", "a"))).reasoning).toBeNull();
  });

  it("comes with a session, with history, and with an end that was missed", () => {
    const state = told(sessionEvent({ turns: [wireTurn("t1", { reasoning: DEEP }), wireTurn("t2")] }));
    expect(state.turns.map(({ reasoning }) => reasoning)).toEqual([DEEP, null]);
    const page: HistoryPage = { ok: true, turns: [wireTurn("t0", { reasoning: DEEP })], more: false };
    expect(turn(told(sessionEvent({ turns: [wireTurn("t1")] }), { type: "history", page }), "t0").reasoning).toEqual(DEEP);
    const end: TurnFinished = { turn_id: "t1", state: "complete", text: "a", seq: 0, reasoning: DEEP };
    const resumed: Resumed = { ok: true, state: "complete", pieces: [], finished: end };
    expect(turn(told(sessionEvent(), started("t1"), { type: "resumed", turnId: "t1", resumed })).reasoning).toEqual(DEEP);
  });

  it("of a turn under way is what the session says after a reconnect, or what was heard before", () => {
    const running = (over: object): ServerEvent => sessionEvent({ turns: [wireTurn("t1", { state: "running", ...over })] });
    const heard = [sessionEvent(), started("t1"), thought("t1", "half"), { type: "disconnected" } as const];
    expect(turn(told(...heard, running({ reasoning: DEEP }))).reasoning).toEqual(DEEP);
    expect(turn(told(...heard, running({}))).reasoning?.text).toBe("half");
    // What was heard before the session waits for it.
    expect(turn(told(...heard, thought("t1"), running({ reasoning: { text: "older", seconds: 1 } }))).reasoning).toEqual(DEEP);
  });
});

describe("how long it took", () => {
  it.each([
    [0, "Thought for a moment"],
    [0.99, "Thought for a moment"],
    [NaN, "Thought for a moment"],
    [1, "Thought for 1 s"],
    [12.3, "Thought for 12 s"],
    [59.4, "Thought for 59 s"],
    [59.5, "Thought for 1 min"],
    [65, "Thought for 1 min 5 s"],
    [4_000, "Thought for 66 min 40 s"],
  ])("is said of %d seconds as %s", (seconds, words) => expect(thoughtFor(seconds)).toBe(words));

  it.each([
    ["ar", "فكّر لمدة 1 د 5 ث", "فكّر للحظة"],
    ["de", "1 min 5 s lang nachgedacht", "Kurz nachgedacht"],
    ["es", "Pensó durante 1 min 5 s", "Pensó un momento"],
    ["fr", "A réfléchi pendant 1 min 5 s", "A réfléchi un instant"],
  ])("is said in %s", (tag, long, short) => {
    speak([tag]);
    expect([thoughtFor(65), thoughtFor(0.2)]).toEqual([long, short]);
  });
});

describe("on the page", () => {
  let chat: Chat;
  let line: MemoryLine;
  let view: View;

  const find = <E extends HTMLElement>(name: string): E | null => view.root.querySelector<E>(`[data-test=${name}]`);
  const fold = (): HTMLDetailsElement => find<HTMLDetailsElement>("reasoning")!;
  const thoughts = (): string => find("thoughts")!.textContent!;
  const summary = (): HTMLElement => fold().querySelector("summary")!;
  const tell = (...events: ServerEvent[]): void => {
    for (const event of events) chat.heard(event);
    vi.advanceTimersByTime(20);
  };

  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("ResizeObserver", class { observe(): void {} });
    line = new MemoryLine();
    chat = new Chat({ read: () => null, write: () => undefined }, new MemoryDrawer(), () => line, WORDS);
    view = new View(chat, false);
    document.body.append(view.root);
    chat.onChange = () => view.changed();
    tell(sessionEvent(), started("t1"));
  });

  afterEach(() => {
    view.root.remove();
    view.destroy();
    chat.close();
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it("stands folded above the answer, and its text is not there before somebody opens it", () => {
    expect(find("reasoning")).toBeNull();
    tell(thought("t1"));
    expect(summary().textContent).toBe("Thought for 12 s");
    expect([fold().open, thoughts()]).toEqual([false, ""]);
    expect(fold().nextElementSibling).toBe(find("answer"));
    summary().click();
    expect([fold().open, thoughts()]).toEqual([true, DEEP.text]);
    expect(find("thoughts")!.children, "plain text").toHaveLength(0);
    expect([find("thoughts")!.tabIndex, find("thoughts")!.getAttribute("aria-label")]).toEqual([0, "Thought for 12 s"]);
    summary().click();
    expect([fold().open, thoughts()]).toEqual([false, ""]);
  });

  it("is filled in as well when the browser opens it", () => {
    tell(thought("t1"));
    fold().open = true;
    fold().dispatchEvent(new Event("toggle"));
    expect(thoughts()).toBe(DEEP.text);
  });

  it("stays open while the answer streams, when more is thought, over a reconnect and to the end", () => {
    tell(thought("t1"));
    summary().click();
    const [element, node] = [fold(), find("thoughts")!.firstChild];
    const same = (): void => {
      expect(fold()).toBe(element);
      expect(fold().open).toBe(true);
    };
    tell(piece("t1", 0, "One "), piece("t1", 1, "two"));
    same();
    expect(find("thoughts")!.firstChild, "left alone").toBe(node);
    tell(thought("t1", "First. Second.", 70));
    same();
    expect([summary().textContent, thoughts()]).toEqual(["Thought for 1 min 10 s", "First. Second."]);
    chat.disconnected();
    const reasoning = { text: "First. Second. Third.", seconds: 80 };
    const open = { answer: "", state: "running" as TurnState, reasoning };
    tell(sessionEvent({ turns: [wireTurn("t1", open)], running: { turn_id: "t1", text: "One two", seq: 1, state: "running" } }));
    same();
    expect(thoughts()).toBe("First. Second. Third.");
    tell(finished("t1", "One two three", { reasoning }));
    same();
    chat.disconnected();
    tell(sessionEvent({ turns: [wireTurn("t1", { answer: "One two three", reasoning })] }));
    same();
    expect(find("answer")!.textContent!.trim()).toBe("One two three");
  });

  it("is neither copied, nor read out, nor told to the page", async () => {
    const copied: string[] = [];
    vi.stubGlobal("navigator", { ...navigator, onLine: true, clipboard: { writeText: async (text: string) => void copied.push(text) } });
    const pageHeard: unknown[] = [];
    const herald = new Herald((_, detail) => void pageHeard.push(detail));
    chat.onChange = () => {
      view.changed();
      herald.changed(chat);
    };
    // jsdom has no innerText.
    const innerText = Object.getOwnPropertyDescriptor(Node.prototype, "textContent")!;
    Object.defineProperty(HTMLElement.prototype, "innerText", innerText);
    const heard: string[] = [];
    const listen = (): void => void heard.push(find("announcer")!.textContent!);
    tell(thought("t1"));
    listen();
    summary().click();
    tell(piece("t1", 0, "An answer."));
    listen();
    tell(finished("t1", "An answer.", { reasoning: DEEP }));
    listen();
    expect(heard).toEqual(["", "", "Assistant: An answer."]);
    find("copy")!.click();
    await vi.advanceTimersByTimeAsync(20);
    expect(copied).toEqual(["An answer."]);
    expect(JSON.stringify(pageHeard)).toContain("An answer.");
    expect(JSON.stringify(pageHeard)).not.toContain("First the question");
    const live = [...view.root.querySelectorAll("[aria-live=polite], [role=status], [role=alert]")];
    expect(live.filter((region) => region.contains(fold()))).toEqual([]);
    Reflect.deleteProperty(HTMLElement.prototype, "innerText");
  });

  it("is there for a turn that ended without an answer, and not for nothing", () => {
    const error = { code: "assistant_empty", message: "The assistant gave no answer. Please ask again." };
    tell(thought("t1"), finished("t1", "", { state: "failed", error, reasoning: DEEP }));
    expect([summary().textContent, find("answer")!.hidden]).toEqual(["Thought for 12 s", true]);
    expect(find("error")!.textContent).toBe("The assistant gave no answer. Please ask again.Ask again");
    tell(started("t2"), thought("t2", ""), finished("t2", "Yes."));
    expect(view.root.querySelectorAll("[data-test=reasoning]")).toHaveLength(1);
  });
});

describe("a model that takes minutes", () => {
  it("is waited for, however long it is silent, with words that say so and the stop button", async () => {
    vi.useFakeTimers();
    vi.stubGlobal("ResizeObserver", class { observe(): void {} });
    const line = new MemoryLine();
    const chat = new Chat({ read: () => null, write: () => undefined }, new MemoryDrawer(), () => line, WORDS);
    const view = new View(chat, false);
    chat.onChange = () => view.changed();
    chat.heard(sessionEvent());
    chat.heard(started("t1"));
    chat.heard({ type: "turn_status", status: { turn_id: "t1", state: "thinking" } });
    vi.advanceTimersByTime(10_000);
    chat.heard({ type: "turn_status", status: { turn_id: "t1", state: "stalled" } });
    const shown = (): unknown[] => [
      view.root.querySelector(".progress")?.textContent,
      view.root.querySelector<HTMLButtonElement>(".stop")?.disabled,
      view.root.querySelector("[data-test=error]"),
      line.reconnects,
    ];
    const working = ["This is taking longer than usual. Still working on it…", false, null, 0];
    for (let minute = 0; minute < 10; minute++) {
      // It is asked for every 15 seconds. Some of these questions are lost.
      for (let quarter = 0; quarter < 4; quarter++) {
        const asked = line.of("resume").length;
        vi.advanceTimersByTime(16_100);
        expect(line.of("resume").length).toBeGreaterThan(asked);
        if (quarter % 2) await line.last("resume").lose();
        else await line.last("resume").answer({ ok: true, state: "running", pieces: [] });
      }
      expect(shown()).toEqual(working);
    }
    chat.heard(piece("t1", 0, "Here."));
    vi.advanceTimersByTime(20);
    expect(view.root.querySelector(".progress")).toBeNull();
    view.destroy();
    chat.close();
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });
});

describe("why there is no answer", () => {
  it.each([
    ["de", "Der Assistent hat nicht geantwortet. Bitte fragen Sie noch einmal.", "Diese Nachricht ist zu lang für den Assistenten. Bitte kürzen Sie sie."],
    ["fr", "L’assistant n’a pas répondu. Veuillez reposer votre question.", "Ce message est trop long pour l’assistant. Veuillez le raccourcir."],
  ])("is told in %s", (tag, empty, long) => {
    speak([tag]);
    const told = ["assistant_empty", "context_too_long"].map((code) => sentence({ code, message: "In English." }));
    expect(told).toEqual([empty, long]);
  });
});

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Chat } from "../src/chat";
import { Composer } from "../src/composer";
import { held, outgoing, refused, sending, unanswered } from "../src/outbox";
import { TurnView } from "../src/turnview";
import { View } from "../src/view";
import { MemoryDrawer, MemoryLine, WORDS } from "./line";
import type { ServerEvent } from "../src/conversation";
import { finished, piece, sessionEvent, started, wireTurn } from "./samples";

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("ResizeObserver", class { observe(): void {} });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe("the connection line", () => {
  it("does not say that it connects for ever, and tells no network from no server", () => {
    const chat = new Chat({ read: () => null, write: () => undefined }, new MemoryDrawer(), () => new MemoryLine(), WORDS);
    const view = new View(chat, false);
    chat.onChange = () => view.changed();
    view.connecting();
    const line = view.root.querySelector<HTMLElement>("[data-test=connection]")!;
    const network = vi.spyOn(navigator, "onLine", "get").mockReturnValue(true);
    const said = (): unknown[] => {
      vi.advanceTimersByTime(20);
      return [line.dataset["state"], line.textContent];
    };
    expect(said()).toEqual(["offline", "Connecting…"]);
    vi.advanceTimersByTime(8_000);
    expect(said()).toEqual(["offline", "The chat cannot be reached at the moment. Trying again…"]);
    network.mockReturnValue(false);
    dispatchEvent(new Event("offline"));
    expect(said()).toEqual(["offline", "No network. Reconnecting when it is back…"]);
    network.mockReturnValue(true);
    chat.heard(sessionEvent());
    expect(said()).toEqual(["online", "Connected"]);
    chat.disconnected();
    expect(said()).toEqual(["offline", "Reconnecting…"]);
    view.destroy();
    chat.close();
  });
});

describe("a message that the server will not have yet", () => {
  const box = [outgoing("m1", "hello", "2025-01-01T10:00:00Z", "c1")];
  const busy = { code: "busy", message: "Please wait.", retry_after: 5 };
  const nothing = (): void => undefined;

  it("waits calmly, says why, and lets go of nobody's focus when it is tried again", () => {
    const discarded: string[] = [];
    const view = new TurnView({ rate: async () => null, ask: nothing, sendAgain: nothing, discard: (id) => discarded.push(id) });
    document.body.append(view.element);
    view.showOutgoing(held(box, "m1", busy)[0]!, true);
    const note = view.element.querySelector<HTMLElement>(".note")!;
    expect(view.element.dataset["state"]).toBe("waiting");
    expect(note.textContent).toBe("Please wait. Your message will be sent again by itself.Discard");
    expect([note.classList.contains("bad"), note.dataset["test"]]).toEqual([false, undefined]);
    note.querySelector("button")!.focus();
    view.showOutgoing(sending(held(box, "m1", busy), "m1", "c1")[0]!, true);
    expect(document.activeElement).toBe(note.querySelector("button"));
    note.querySelector("button")!.click();
    expect(discarded).toEqual(["m1"]);
    const waits = "Will be sent when the connection is back.";
    view.showOutgoing(held(box, "m1", busy)[0]!, false);
    expect([view.element.dataset["state"], note.textContent]).toEqual(["offline", `${waits}Discard`]);
    view.showOutgoing(unanswered(sending(box, "m1", "c1"), "m1")[0]!, false);
    expect(note.textContent, "it may have arrived").toBe(waits);
    view.showOutgoing(refused(box, "m1", busy)[0]!, false);
    expect([view.element.dataset["state"], note.classList.contains("bad")]).toEqual(["refused", true]);
  });
});

describe("what is said aloud", () => {
  let chat: Chat;
  let view: View;
  let heard: string[];

  const tell = (...events: ServerEvent[]): void => {
    for (const event of events) chat.heard(event);
    vi.advanceTimersByTime(20);
    const words = view.root.querySelector("[data-test=announcer]")!.textContent!;
    if (words !== heard.at(-1)) heard.push(words);
  };

  beforeEach(() => {
    heard = [""];
    chat = new Chat({ read: () => null, write: () => undefined }, new MemoryDrawer(), () => new MemoryLine(), WORDS);
    view = new View(chat, false);
    chat.onChange = () => view.changed();
    tell(sessionEvent({ turns: [wireTurn("t0", { answer: "old", state: "failed" })] }));
  });

  afterEach(() => {
    view.destroy();
    chat.close();
  });

  it("is nothing of what was over before, and waiting and standing still once each", () => {
    tell(started("t1"), { type: "turn_status", status: { turn_id: "t1", state: "queued" } });
    tell({ type: "turn_status", status: { turn_id: "t1", state: "thinking" } });
    tell({ type: "turn_status", status: { turn_id: "t1", state: "stalled" } });
    tell(piece("t1", 0, "a"));
    tell(piece("t1", 1, "b"));
    expect(heard.slice(1)).toEqual(["Waiting in the queue…", "This is taking longer than usual. Still working on it…"]);
  });

  it("is the end of a turn that failed, even if it was over before it could be drawn", () => {
    const error = { code: "assistant_refused", message: "It would not." };
    chat.send("hello");
    vi.advanceTimersByTime(20);
    const { clientId } = chat.outbox[0]!;
    const turn = { turn_id: "t1", client_id: clientId, text: "hello", at: "2025-01-01T10:00:00Z" };
    tell({ type: "turn_started", turn }, finished("t1", "", { state: "failed", error }));
    expect(heard.at(-1)).toBe("It would not.");
    // The same once more is a change again.
    tell(started("t2"));
    tell(finished("t2", "", { state: "failed", error }));
    expect(heard.at(-1)).toBe("It would not.\u00a0");
  });
});

describe("the text field", () => {
  it("leaves the Enter that ends a composed word to the browser, also to Safari, which says so by a number only", () => {
    const sent: string[] = [];
    const composer = new Composer({ send: (text) => sent.push(text) > 0, stop: () => undefined });
    document.body.append(composer.element);
    composer.input.value = "日本";
    const enter = (over: KeyboardEventInit): void =>
      void composer.input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true, ...over }));
    enter({ isComposing: true });
    enter({ keyCode: 229 });
    expect(sent).toEqual([]);
    enter({ keyCode: 13 });
    expect(sent).toEqual(["日本"]);
  });
});

import { afterEach, describe, expect, it, vi } from "vitest";
import { Drawer } from "../src/drawer";
import { type Outgoing, held, outgoing, refused, sending } from "../src/outbox";

const KEY = "assistant-chat:https://a.example/:outbox";
const ERROR = { code: "too_long", message: "Too long." };

function messages(count: number): Outgoing[] {
  return Array.from({ length: count }, (_, index) => outgoing(`m${index}`, `text ${index}`, "2025-01-01T10:00:00Z", "c1"));
}

afterEach(() => {
  vi.unstubAllGlobals();
  sessionStorage.clear();
});

describe("the drawer", () => {
  it("outlives the page and belongs to one server", () => {
    new Drawer("https://a.example/").write(messages(2));
    expect(new Drawer("https://a.example/").read()).toEqual(messages(2));
    expect(new Drawer("https://b.example/").read()).toEqual([]);
  });

  it("gives back what was under way or held as waiting, and what was refused as refused", () => {
    let outbox = sending(messages(3), "m0", "c1");
    outbox = refused(held(outbox, "m1", { ...ERROR, retry_after: 5 }), "m2", ERROR);
    const drawer = new Drawer("https://a.example/");
    drawer.write(outbox);
    expect(drawer.read()).toMatchObject([
      { state: "waiting", tries: 1, error: null }, { state: "waiting", tries: 0, error: null }, { state: "refused", error: ERROR },
    ]);
  });

  it("keeps the oldest twenty, and no key when it is empty", () => {
    const drawer = new Drawer("https://a.example/");
    drawer.write(messages(25));
    expect(drawer.read().map(({ clientId }) => clientId)).toEqual(messages(20).map(({ clientId }) => clientId));
    drawer.write([]);
    expect(sessionStorage.getItem(KEY)).toBeNull();
  });

  it("is empty when storage throws or holds what is not ours", () => {
    const drawer = new Drawer("https://a.example/");
    for (const value of ["not json", "{}", "[null]", '[{"clientId":1}]']) {
      sessionStorage.setItem(KEY, value);
      expect(drawer.read()).toEqual([]);
    }
    vi.stubGlobal("sessionStorage", new Proxy({}, { get: () => { throw new Error("denied"); } }));
    expect(drawer.read()).toEqual([]);
    drawer.write(messages(1));
  });

  it("that is full keeps nothing rather than what is out of date", () => {
    const drawer = new Drawer("https://a.example/");
    drawer.write(messages(1));
    const full = { getItem: () => null, removeItem: (key: string) => kept.delete(key), setItem: () => { throw new Error("full"); } };
    const kept = new Set([KEY]);
    vi.stubGlobal("sessionStorage", full);
    drawer.write(messages(2));
    expect(kept.size).toBe(0);
  });
});

/**
 * Messages that the server has not accepted yet, oldest first. Pure.
 * Each keeps its `clientId` for all its tries, so that the server recognises a repeat.
 */
import type { WireError } from "./wire";

export interface Outgoing {
  readonly clientId: string;
  readonly text: string;
  readonly at: string;
  readonly state: "waiting" | "sending" | "refused";
  readonly tries: number;
  readonly error: WireError | null;
}

export type Outbox = readonly Outgoing[];

export function added(outbox: Outbox, clientId: string, text: string, at: string): Outbox {
  return [...outbox, { clientId, text, at, state: "waiting", tries: 0, error: null }];
}

/** The one to send now: the first that waits, unless one is on its way. */
export function nextToSend(outbox: Outbox): Outgoing | undefined {
  if (outbox.some((message) => message.state === "sending")) return undefined;
  return outbox.find((message) => message.state === "waiting");
}

export function sending(outbox: Outbox, clientId: string): Outbox {
  return update(outbox, clientId, (message) => ({ ...message, state: "sending", tries: message.tries + 1, error: null }));
}

export function unanswered(outbox: Outbox, clientId: string): Outbox {
  return update(outbox, clientId, (message) => ({ ...message, state: "waiting" }));
}

export function refused(outbox: Outbox, clientId: string, error: WireError): Outbox {
  return update(outbox, clientId, (message) => ({ ...message, state: "refused", error }));
}

export function again(outbox: Outbox, clientId: string): Outbox {
  return update(outbox, clientId, (message) => ({ ...message, state: "waiting", tries: 0, error: null }));
}

export function without(outbox: Outbox, clientIds: ReadonlySet<string | null>): Outbox {
  const left = outbox.filter((message) => !clientIds.has(message.clientId));
  return left.length === outbox.length ? outbox : left;
}

function update(outbox: Outbox, clientId: string, change: (message: Outgoing) => Outgoing): Outbox {
  return outbox.map((message) => (message.clientId === clientId ? change(message) : message));
}

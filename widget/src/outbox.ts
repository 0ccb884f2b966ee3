/**
 * Messages that the server has not accepted yet, oldest first. Pure.
 * Each keeps its `clientId` for all its tries, so that the server recognises a repeat.
 */
import type { WireError } from "./wire";

export interface Outgoing {
  readonly clientId: string;
  readonly text: string;
  readonly at: string;
  /** The conversation that it was written in; null: whichever is open when it is sent. */
  readonly conversation: string | null;
  /** `held`: the server asked us to wait. It keeps its place, so nothing behind it is sent either. */
  readonly state: "waiting" | "sending" | "held" | "refused";
  readonly tries: number;
  readonly error: WireError | null;
}

export type Outbox = readonly Outgoing[];

export function outgoing(clientId: string, text: string, at: string, conversation: string | null): Outgoing {
  return { clientId, text, at, conversation, state: "waiting", tries: 0, error: null };
}

/** The one to send now: the first that was not refused for good, unless it is on its way or held. */
export function nextToSend(outbox: Outbox): Outgoing | undefined {
  const first = outbox.find((message) => message.state !== "refused");
  return first?.state === "waiting" ? first : undefined;
}

/** Its `error` stays: a message that was held goes on saying why until it is accepted. */
export function sending(outbox: Outbox, clientId: string, conversation: string): Outbox {
  return update(outbox, clientId, (message) => ({ ...message, conversation, state: "sending", tries: message.tries + 1 }));
}

export function unanswered(outbox: Outbox, clientId: string): Outbox {
  return update(outbox, clientId, (message) => ({ ...message, state: "waiting" }));
}

/** Not now: to be sent again by itself. The server has answered, so its silent tries are forgotten. */
export function held(outbox: Outbox, clientId: string, error: WireError): Outbox {
  return update(outbox, clientId, (message) => ({ ...message, state: "held", tries: 0, error }));
}

export function released(outbox: Outbox): Outbox {
  return outbox.map((message) => (message.state === "held" ? { ...message, state: "waiting" } : message));
}

export function refused(outbox: Outbox, clientId: string, error: WireError): Outbox {
  return update(outbox, clientId, (message) => ({ ...message, state: "refused", error }));
}

/** The writer wants it sent, here and now. */
export function again(outbox: Outbox, clientId: string): Outbox {
  return update(outbox, clientId, (message) => outgoing(clientId, message.text, message.at, null));
}

/** What was written in another conversation is not slipped into this one: its writer decides. */
export function refusedElsewhere(outbox: Outbox, conversation: string, error: WireError): Outbox {
  return outbox.map((message) => {
    const here = (message.conversation ?? conversation) === conversation || message.state === "refused";
    return here ? message : { ...message, state: "refused", error };
  });
}

export function without(outbox: Outbox, clientIds: ReadonlySet<string | null>): Outbox {
  const left = outbox.filter((message) => !clientIds.has(message.clientId));
  return left.length === outbox.length ? outbox : left;
}

function update(outbox: Outbox, clientId: string, change: (message: Outgoing) => Outgoing): Outbox {
  return outbox.map((message) => (message.clientId === clientId ? change(message) : message));
}

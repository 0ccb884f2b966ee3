/** A question to the server that always gets an answer: where none comes, a refusal in our own words. */
import type { Line } from "./connection";
import type { Refusal, WireError } from "./wire";

export async function ask<T extends { ok: true }>(
  line: Line,
  event: string,
  payload: object,
  unanswered: WireError,
): Promise<T | Refusal> {
  try {
    const answer = (await line.request(event, payload)) as T | Refusal | null;
    if (typeof answer?.ok === "boolean") return answer;
  } catch {
    // Too slow, or the connection went away.
  }
  return { ok: false, error: unanswered };
}

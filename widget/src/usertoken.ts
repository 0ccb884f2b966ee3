/**
 * Whose a user token is, told apart without keeping who it is: a short number made of the token's `sub`. What is
 * stored for one user of this browser (ticket, unsent messages) lies under their own key, so nobody else's is shown.
 * Not a check of any kind: the server makes it, and opens a conversation to nobody but its owner.
 */

export function suffixOf(userToken: string | null): string {
  return userToken === null ? "" : `:user:${fingerprint(subject(userToken))}`;
}

/** Whose it says that it is; null for nobody in particular. */
export function subjectOf(userToken: string | null): string | null {
  return userToken && subject(userToken);
}

function subject(userToken: string): string {
  try {
    const claims = userToken.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/");
    return String((JSON.parse(atob(claims)) as { sub: unknown }).sub);
  } catch {
    // Not a token at all: the server will say so.
    return userToken;
  }
}

/** FNV-1a, 32 bits. */
function fingerprint(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash >>> 0).toString(36);
}

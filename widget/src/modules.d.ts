/** A style sheet is imported as its text (build.mjs). */
declare module "*.css" {
  const text: string;
  export default text;
}

/** A dictionary as lines without keys (dictionaries.mjs). */
declare module "*?lines" {
  const lines: string;
  export default lines;
}

/** A file as it stands, for the tests. */
declare module "*?raw" {
  const text: string;
  export default text;
}

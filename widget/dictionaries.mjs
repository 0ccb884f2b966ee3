/**
 * `import lines from "./texts/de.json?lines"`: a dictionary without its keys, which are those of en.json in the same
 * order (test/texts.test.ts). Five times the same keys would cost half a kilobyte. For the build and for the tests.
 */
import { readFile } from "node:fs/promises";

const SUFFIX = "?lines";

async function lines(path) {
  const dictionary = JSON.parse(await readFile(path, "utf8"));
  return `export default ${JSON.stringify(Object.values(dictionary).join("\n"))};`;
}

export const forEsbuild = {
  name: "dictionaries",
  setup({ onLoad }) {
    onLoad({ filter: /\.json$/ }, async ({ path, suffix }) =>
      suffix === SUFFIX ? { contents: await lines(path), loader: "js" } : undefined,
    );
  },
};

export const forVite = {
  name: "dictionaries",
  enforce: "pre",
  load: (id) => (id.endsWith(SUFFIX) ? lines(id.slice(0, -SUFFIX.length)) : undefined),
};

import { defineConfig } from "vitest/config";
import { forVite as dictionaries } from "./dictionaries.mjs";
import { forVite as unused } from "./unused.mjs";

export default defineConfig({
  plugins: [dictionaries as { name: string }, unused as { name: string }],
  // docs/ too.
  server: { fs: { allow: [".."] } },
  // What the build changes is tested as it is built.
  test: {
    environment: "jsdom",
    include: ["test/**/*.test.ts"],
    server: { deps: { inline: ["dompurify", "marked"] } },
    testTimeout: 20_000,
  },
});

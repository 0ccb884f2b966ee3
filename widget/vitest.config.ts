import { defineConfig } from "vitest/config";
import { forVite } from "./dictionaries.mjs";

export default defineConfig({
  plugins: [forVite as { name: string }],
  test: { environment: "jsdom", include: ["test/**/*.test.ts"] },
});

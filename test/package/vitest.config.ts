import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

// The package as people will meet it: packed, installed elsewhere, weighed. Run by
// `npm run package`. No alias here: its name means what was packed.
export default defineConfig({
  test: {
    root: fileURLToPath(new URL("../..", import.meta.url)),
    include: ["test/package/**/*.test.ts"],
    globalSetup: "test/package/packed.ts",
    // One after the other: start-up is timed here.
    fileParallelism: false,
    reporters: "verbose",
    testTimeout: 120_000,
    hookTimeout: 120_000
  }
})

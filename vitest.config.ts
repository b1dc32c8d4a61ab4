import { fileURLToPath } from "node:url"
import { configDefaults, defineConfig } from "vitest/config"

const source = (file: string) => fileURLToPath(new URL(`./src/${file}`, import.meta.url))

export default defineConfig({
  resolve: {
    // The package's own name means its sources, as `paths` in tsconfig.json has it.
    alias: [
      { find: /^effect-larder$/, replacement: source("index.ts") },
      { find: /^effect-larder\/redis$/, replacement: source("redis.ts") },
      { find: /^effect-larder\/sql$/, replacement: source("sql.ts") },
      { find: /^effect-larder\/sqlite$/, replacement: source("sqlite.ts") },
      { find: /^effect-larder\/testing$/, replacement: source("testing.ts") }
    ]
  },
  test: {
    environment: "node",
    include: ["test/**/*.test.ts"],
    // Of what is packed, not of the sources: `npm run package`.
    exclude: [...configDefaults.exclude, "test/package/**"],
    // One more than vitest would take: half of the tests wait for a server.
    maxWorkers: "100%",
    testTimeout: 30_000,
    hookTimeout: 30_000,
    coverage: {
      provider: "v8",
      // Without it a missing `else`, or one side of `??`, counts as covered.
      experimentalAstAwareRemapping: true,
      include: ["src/**/*.ts"],
      // Types alone: nothing of it is left to run.
      exclude: ["src/core/service.ts"],
      reporter: ["text", "json-summary"],
      // A branch left out is named in place, in a comment of its own before the statement:
      // /* v8 ignore next -- the reason. @preserve */ (or `if`, `else`). `@preserve` keeps it
      // through esbuild, which drops every comment within an expression.
      thresholds: {
        "src/core/**": { branches: 100 },
        "src/policy/**": { branches: 100 }
      }
    }
  }
})

import type { KnipConfig } from "knip"
import manifest from "./package.json" with { type: "json" }

/** `!`: of the package itself, and all that `knip --production` looks at. */
const entries = Object.values(manifest.exports).flatMap((entry) =>
  typeof entry === "string" ? [] : [entry.default.replace(/^\.\/dist\/(.*)\.js$/, "src/$1.ts!")]
)

/**
 * What nothing uses: exports, files and dependencies. With `--production`, what only tests use,
 * but for what is tagged `@internal`.
 */
const production = process.argv.includes("--production")

export default {
  entry: [
    ...entries,
    "bench/workers/case.ts",
    "examples/**/*.ts",
    "scripts/*.ts",
    "test/types/*.test-d.ts",
    "test/package/{vitest.config,packed,*.test}.ts",
    "test/package/programs/*.ts"
  ],
  project: ["src/**/*.ts!", "{bench,examples,reliability,scripts,test}/**/*.ts", "*.ts"],
  // The types in the signature of what is exported are exported with it. Some functions are
  // exported for their tests alone: then somebody in the sources must use them, in their own file.
  ignoreExportsUsedInFile: production || { interface: true, type: true },
  // Its entry says how to install it.
  rules: { optionalPeerDependencies: "off" }
} satisfies KnipConfig

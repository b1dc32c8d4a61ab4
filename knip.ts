import type { KnipConfig } from "knip"
import manifest from "./package.json" with { type: "json" }

/** `!`: of the package itself, and all that `knip --production` looks at. */
const entries = Object.values(manifest.exports).flatMap((entry) =>
  typeof entry === "string" ? [] : [entry.default.replace(/^\.\/dist\/(.*)\.js$/, "src/$1.ts!")]
)

/** What nothing uses: exports, files and dependencies. With `--production`, what only tests use. */
export default ({ production = false }: { readonly production?: boolean }): KnipConfig => ({
  entry: [
    ...entries,
    "examples/**/*.ts",
    "scripts/*.ts",
    "test/types/*.test-d.ts",
    "test/package/{vitest.config,packed,*.test}.ts",
    "test/package/programs/*.ts"
  ],
  project: ["src/**/*.ts!", "{bench,examples,scripts,test}/**/*.ts", "*.ts"],
  // The types in the signature of what is exported are exported with it. Some functions are
  // exported for their tests alone: then somebody in the sources must use them, in their own file.
  ignoreExportsUsedInFile: production || { interface: true, type: true },
  // Of the system, where there is one.
  ignoreBinaries: ["taskset"],
  ...(production && {
    ignoreIssues: {
      // `freshness` decides for `staleIfError`, which is to come. Delete this with it.
      "src/policy/freshness.ts": ["exports"],
      // `leaseKey` and `endedKey` tell the tests what Redis holds where.
      "src/policy/keys.ts": ["exports"]
    }
  })
})

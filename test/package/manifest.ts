import manifest from "../../package.json" with { type: "json" }

export { manifest }

/** What a user may import: `effect-larder`, `effect-larder/redis` and so on. */
export const entries: ReadonlyArray<string> = Object.keys(manifest.exports)
  .filter((path) => path !== "./package.json")
  .map((path) => path.replace(/^\./, manifest.name))

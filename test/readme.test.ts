import { expect, it } from "@effect/vitest"
import { read } from "../scripts/docs/pages.js"

// The front page. What holds of all pages is in `docs/`.

const readme = read("README.md")

it("the README begins with a program of at most 20 lines, and its output", () => {
  const [, code = "", output] =
    /^```.*\n([^]*?)^```\n\n<!-- .* -->\n```text\n([^]*?)^```$/m.exec(readme) ?? []
  expect(code).toContain("runPromise")
  expect(code.trimEnd().split("\n").length).toBeLessThanOrEqual(20)
  expect(output).toContain("1 query")
})

it("the README is a front door: nobody has to scroll for long", () => {
  expect(readme.split("\n").length).toBeLessThanOrEqual(180)
})

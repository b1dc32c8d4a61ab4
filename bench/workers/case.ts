/**
 * One case, in a process that has run nothing else: what other cases have compiled,
 * generalised and left on the heap is not in its figures.
 */
import { cases } from "../cases/index.js"

// Whoever asked is gone. Servers and workers end with this process.
process.once("disconnect", () => process.exit(1))

const [name = "", quick] = process.argv.slice(2)
const reports = [(await cases[name]?.(quick === "quick")) ?? []].flat()
process.send?.(reports, () => process.exit(0))

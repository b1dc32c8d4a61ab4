import { spawn } from "node:child_process"

const ofOthers = [
  /^npm_(package|lifecycle|command|config_local_prefix)|^INIT_CWD$/i,
  /^(NODE_ENV|NODE_OPTIONS|TEST|VITEST.*)$/,
  /^(FORCE_COLOR|REDIS_URL|LARDER_.*)$/
]

/** As in a user's shell: nothing that npm says of this package, or Vitest of its run. */
const surroundings = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !ofOthers.some((pattern) => pattern.test(name)))
)

export interface Ran {
  readonly succeeded: boolean
  readonly output: string
}

/** Runs a program to its end. Its output is what it says, aloud or as an error. */
export const tryToRun = (
  folder: string,
  [program, ...args]: readonly [string, ...ReadonlyArray<string>],
  settings: Readonly<Record<string, string>> = {}
): Promise<Ran> =>
  new Promise((resolve, reject) => {
    const env = { ...surroundings, NO_COLOR: "1", ...settings }
    const child = spawn(program, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (output += text))
    }
    child.on("error", reject)
    child.on("close", (code) => resolve({ succeeded: code === 0, output }))
  })

/** As `tryToRun`, for one that must succeed. */
export const run = async (...call: Parameters<typeof tryToRun>): Promise<string> => {
  const { output, succeeded } = await tryToRun(...call)
  if (!succeeded) throw new Error(`${call[1].join(" ")}, in ${call[0]}:\n${output}`)
  return output
}

/** Chance that can be repeated. */

/** mulberry32: 32 bits of a seeded, uniform [0, 1). */
export const seeded = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let bits = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
  return ((bits ^ (bits >>> 14)) >>> 0) / 4_294_967_296
}

/** The seed of this run: `SEED` in the environment, or a new one. Printed, for the next run. */
export const seedOf = (subject: string): number => {
  const seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000_007)
  console.log(`${subject}: SEED=${seed}`)
  return seed
}

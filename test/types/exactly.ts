/** What the statements beside this file share. */

/** `true` for one and the same type: what is merely assignable is another, and so is `any`. */
export type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** `exactly<Actual, Expected>(true)` compiles if they are the same. */
export const exactly = <Actual, Expected>(_same: Same<Actual, Expected>): void => undefined

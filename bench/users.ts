/** What is in Redis: users, as JSON of 73 to 130 bytes. */

export interface User {
  readonly id: number
  readonly name: string
  readonly email: string
  readonly roles: ReadonlyArray<string>
}

/** As many for 1 caller as for 1,000. */
export const count = 4_000

const names = ["Ada Lovelace", "Grace Hopper", "Muhammad ibn Musa al-Khwarizmi", "Ken Thompson"]

export const users: ReadonlyArray<User> = Array.from({ length: count }, (_, id) => {
  const name = names[id % names.length] ?? ""
  const account = name.toLowerCase().replaceAll(" ", ".")
  return { id, name, email: `${account}@example.com`, roles: id % 3 === 0 ? ["author"] : [] }
})

export const keyOf = ({ id }: User): string => `user:${id}`

export const userOf = (key: string): User => {
  const user = users[Number(key.slice("user:".length))]
  if (user === undefined) throw new Error(`nobody is ${key}`)
  return user
}

const keys = users.map(keyOf)

/**
 * The key of a lookup: callers take turns in the list. So no two callers ever ask
 * for the same key, and nobody's deduplication has anything to do.
 */
export const keyAt = (lookup: number): string => keys[lookup % count] ?? ""

/** What so many lookups give, when their ids are added up. */
export const sumOfIds = (lookups: number): number => {
  let sum = 0
  for (let lookup = 0; lookup < lookups; lookup++) sum += lookup % count
  return sum
}

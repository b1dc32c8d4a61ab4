/**
 * A bounded map that evicts by SIEVE (Zhang, Yang, Yue, Vigfusson & Rashmi,
 * "SIEVE is Simpler than LRU", NSDI 2024).
 *
 * Entries stand in the order they came. A use marks an entry and moves nothing;
 * a hand goes from the oldest to the newest, takes the mark off those that have
 * one, and evicts the first that has none. What is read once goes soon, whatever
 * came after it.
 */

interface Node<A> {
  readonly key: string
  value: A
  isUsed: boolean
  newer: Node<A> | undefined
  older: Node<A> | undefined
}

export class Sieve<A> {
  readonly #nodes = new Map<string, Node<A>>()
  readonly #capacity: number
  readonly #onEvict: () => void
  #newest: Node<A> | undefined
  #oldest: Node<A> | undefined
  /** Where the next search begins; undefined: at the oldest. */
  #hand: Node<A> | undefined

  /** @param capacity a whole number, from 1 up */
  constructor(capacity: number, onEvict: () => void) {
    this.#capacity = capacity
    this.#onEvict = onEvict
  }

  get size(): number {
    return this.#nodes.size
  }

  get(key: string): A | undefined {
    const node = this.#nodes.get(key)
    if (node === undefined) return undefined
    node.isUsed = true
    return node.value
  }

  /** As `get`, but it does not count as a use. */
  peek(key: string): A | undefined {
    return this.#nodes.get(key)?.value
  }

  set(key: string, value: A): void {
    const known = this.#nodes.get(key)
    if (known !== undefined) {
      known.value = value
      known.isUsed = true
      return
    }
    if (this.#nodes.size >= this.#capacity) this.#evict()
    const node: Node<A> = { key, value, isUsed: false, newer: undefined, older: this.#newest }
    if (this.#newest === undefined) this.#oldest = node
    else this.#newest.newer = node
    this.#newest = node
    this.#nodes.set(key, node)
  }

  delete(key: string): boolean {
    const node = this.#nodes.get(key)
    if (node === undefined) return false
    this.#remove(node)
    return true
  }

  clear(): void {
    this.#nodes.clear()
    this.#newest = this.#oldest = this.#hand = undefined
  }

  /** Those that are there now, whatever comes and goes meanwhile. */
  entries(): ReadonlyArray<readonly [key: string, value: A]> {
    return Array.from(this.#nodes, ([key, { value }]) => [key, value] as const)
  }

  #evict(): void {
    let node = this.#hand ?? this.#oldest
    while (node?.isUsed) {
      node.isUsed = false
      node = node.newer ?? this.#oldest
    }
    /* v8 ignore next -- a full map has an oldest. @preserve */
    if (node === undefined) return
    this.#remove(node)
    this.#hand = node.newer
    this.#onEvict()
  }

  #remove(node: Node<A>): void {
    const { key, newer, older } = node
    if (newer === undefined) this.#newest = older
    else newer.older = older
    if (older === undefined) this.#oldest = newer
    else older.newer = newer
    if (this.#hand === node) this.#hand = newer
    this.#nodes.delete(key)
  }
}

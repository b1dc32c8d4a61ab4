/** A lookup as an effect, which finds its cache when it runs. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { LookupOptions, Region } from "./request.js"
import type { Service } from "./service.js"

/** Where one looks things up: in which cache, in which part of it, and how a key is written. */
interface Place<K> {
  readonly tag: Context.Tag<any, Service>
  readonly region: Region
  readonly textOf: (key: K) => string
}

/**
 * A hit's price is counted in nodes and allocations: this is one object, where
 * `suspend` is a node, what it adds to one, a closure and what that closes over;
 * `withFiberRuntime` makes a status that nobody wants, and `flatMap` over the tag
 * is three nodes.
 */
class Lookup<K> extends Effectable.Class<any, any, any> {
  constructor(
    readonly place: Place<K>,
    readonly key: K,
    readonly create: Effect.Effect<any, any, any>,
    readonly options: LookupOptions<any>
  ) {
    super()
  }
  override commit(): Effect.Effect<any, any> {
    const { region, tag, textOf } = this.place
    const fiber = Option.getOrThrow(Fiber.getCurrentFiber())
    const context = fiber.currentContext
    const cache: Service = context.unsafeMap.get(tag.key) ?? Context.unsafeGet(context, tag)
    return cache.lookup(fiber, region, textOf(this.key), this.create, this.options)
  }
}

const noOptions: LookupOptions<any> = {}

export const lookupIn = <K>(
  tag: Context.Tag<any, Service>,
  region: Region,
  textOf: (key: K) => string
) => {
  const place: Place<K> = { tag, region, textOf }
  return (
    key: K,
    create: Effect.Effect<any, any, any>,
    options: LookupOptions<any> = noOptions
  ): Effect.Effect<any, any, any> => new Lookup(place, key, create, options)
}

/** Between a value and its stored form: the schema, JSON, and the envelope around it. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Envelope from "../policy/envelope.js"
import { unstorable } from "../policy/storable.js"
import { placeOf } from "./schemaError.js"
import type { AnySchema } from "./path.js"
import type { Region } from "./request.js"

/** Why a value is not stored: for the log, so it never shows the value. */
export interface Refusal {
  readonly what: string
}

/**
 * Makes bytes of a value and a value of bytes, in the place of JSON: for values
 * that JSON would lose, for less of them, or for none that others can read. With
 * a schema it is given what the schema encodes.
 *
 * Either may throw: what cannot be encoded is not stored, what cannot be decoded
 * is a miss. Its bytes come from a shared backend, so `decode` must not trust them.
 * They are a view of all that came with them: keep a copy, not the view.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheCodec {
  readonly encode: (value: unknown) => Uint8Array
  readonly decode: (bytes: Uint8Array) => unknown
}

export interface Payload {
  readonly kind: Envelope.Header["kind"]
  readonly content: Envelope.Encoded
}

/** Turns a value into what is stored, or says what JSON would make of it. */
export const encode = (
  schema: AnySchema | undefined,
  value: unknown,
  isFailure: boolean,
  codec: CacheCodec | undefined
): Effect.Effect<Either.Either<Payload, Refusal>> => {
  const toPayload = (encoded: unknown) =>
    codec === undefined ? toJson(encoded, isFailure) : toBytes(codec, encoded, isFailure)
  if (schema === undefined) return Effect.sync(() => toPayload(value))
  return Effect.suspend(() => Schema.encodeUnknown(schema)(value)).pipe(
    Effect.match({
      onSuccess: toPayload,
      onFailure: (error) => refuse(`its schema does not encode it at ${placeOf(error)}`)
    }),
    Effect.catchAllDefect(() => Effect.succeed(refuse("its schema threw while encoding it")))
  )
}

const refuse = (what: string): Either.Either<never, Refusal> => Either.left({ what })

const toJson = (value: unknown, isFailure: boolean): Either.Either<Payload, Refusal> => {
  const found = unstorable(value)
  if (found !== undefined) return refuse(`JSON would lose ${found.what} at ${found.path}`)
  if (value === undefined && !isFailure) return Either.right({ kind: "u", content: "" })
  // A failure that is `undefined` is still a failure: its absence is the text.
  const content = value === undefined ? "" : JSON.stringify(value)
  return Either.right({ kind: isFailure ? "e" : "v", content })
}

const toBytes = (
  codec: CacheCodec,
  value: unknown,
  isFailure: boolean
): Either.Either<Payload, Refusal> =>
  Either.try({
    try: () => ({
      kind: isFailure ? ("e" as const) : ("v" as const),
      content: codec.encode(value)
    }),
    catch: () => ({ what: "its codec threw while encoding it" })
  })

/** What a stored form says to a reader with this schema and version. */
export interface Decoded {
  readonly schema: AnySchema | undefined
  readonly region: Region
  /** Undefined: nothing this reader can use. */
  readonly exit: Exit.Exit<any, any> | undefined
  /** Undefined: a stranger's value. */
  readonly header: Envelope.ReadHeader | undefined
  readonly stored: Envelope.Encoded
}

/** A value, or a cached failure, that this reader may have. */
export interface Usable extends Decoded {
  readonly exit: Exit.Exit<any, any>
  readonly header: Envelope.ReadHeader
}

export const isUsable = (decoded: Decoded): decoded is Usable =>
  decoded.exit !== undefined && decoded.header !== undefined

/** How entries are read: by what schema, of which version, in the place of JSON by what. */
export interface Reading {
  readonly schema: AnySchema | undefined
  readonly region: Region
  readonly codec: CacheCodec | undefined
}

/** Decodes in one step what no schema has a say in; undefined: one does. */
export const decodeAtOnce = (
  stored: Envelope.Encoded,
  { codec, region, schema }: Reading
): Decoded | undefined => {
  const envelope = Envelope.decode(stored)
  let exit: Decoded["exit"]
  if (envelope !== undefined && envelope.header.version === region.version) {
    const isFailure = envelope.header.kind === "e"
    if (!isFailure || region.error !== undefined) {
      if (isFailure || schema !== undefined) return undefined
      exit = contentOf(envelope, codec)
    }
  }
  return { schema, region, exit, header: envelope?.header, stored }
}

/** Never fails: what cannot be decoded is a miss. */
export const decode = (stored: Envelope.Encoded, reading: Reading): Effect.Effect<Decoded> =>
  Effect.suspend(() => {
    const atOnce = decodeAtOnce(stored, reading)
    return atOnce === undefined ? decodeBySchema(stored, reading) : Effect.succeed(atOnce)
  })

/** For what `decodeAtOnce` leaves to a schema. */
export const decodeBySchema = (
  stored: Envelope.Encoded,
  { codec, region, schema }: Reading
): Effect.Effect<Decoded> =>
  Effect.suspend(() => {
    const envelope = Envelope.decode(stored) as Envelope.Decoded
    const { header } = envelope
    const result = { schema, region, exit: undefined, header, stored }
    const content = contentOf(envelope, codec)
    if (content === undefined) return Effect.succeed(result)
    const isFailure = header.kind === "e"
    const reader = (isFailure ? region.error : schema) as AnySchema
    const wrap = isFailure ? Exit.fail : Exit.succeed
    return Effect.match(
      Effect.sandbox(Effect.suspend(() => Schema.decodeUnknown(reader)(content.value))),
      {
        onSuccess: (value) => ({ ...result, exit: wrap(value) }),
        onFailure: () => result
      }
    )
  })

/** What a payload holds, before any schema; undefined: nothing that can be read. */
const contentOf = (
  { header: { kind }, payload }: Envelope.Decoded,
  codec: CacheCodec | undefined
): Exit.Success<unknown, never> | undefined => {
  try {
    if (typeof payload === "string") {
      return isAbsent(kind, payload) ? nothing : success(JSON.parse(payload))
    }
    return codec === undefined ? undefined : success(codec.decode(payload))
  } catch {
    return undefined
  }
}

const isAbsent = (kind: Envelope.Header["kind"], text: string): boolean =>
  kind === "u" || (kind === "e" && text === "")

const success = (value: unknown) => Exit.succeed(value) as Exit.Success<unknown, never>

const nothing = success(undefined)

/** Does the schema vouch for a value that is here already, and was never encoded? */
export const accepts = (schema: AnySchema, value: unknown): boolean => {
  try {
    return Schema.is(schema)(value)
  } catch {
    return false
  }
}

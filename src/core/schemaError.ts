/** What may be said of a value that its schema does not take. */
import * as ParseResult from "effect/ParseResult"

/** Where the schema balked. The message itself would show the value. */
export const placeOf = (error: ParseResult.ParseError): string => {
  const [first] = ParseResult.ArrayFormatter.formatErrorSync(error).map(({ path }) => path)
  return ["$", ...(first as ReadonlyArray<PropertyKey>).map(String)].join(".")
}

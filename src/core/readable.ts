/** Can a reader use an entry that is here in its decoded form? */
import * as Exit from "effect/Exit"
import { accepts } from "./codec.js"
import type { Entry } from "./l1.js"
import type { AnySchema } from "./path.js"
import type { Region } from "./request.js"

/** Not of another version, nor a failure to one who caches none, nor against its schema. */
export const readable = (entry: Entry, region: Region, schema: AnySchema | undefined): boolean => {
  if (entry.version !== region.version) return false
  if (Exit.isFailure(entry.exit)) return region.error !== undefined
  if (schema === undefined || entry.schema === schema) return true
  if (!accepts(schema, entry.exit.value)) return false
  entry.schema = schema
  return true
}

import { exactly } from "./exactly.js"

exactly<"a" | "b", "b" | "a">(true)
exactly<any, string>(false)
exactly<never, string>(false)
exactly<"a", string>(false)
exactly<unknown, any>(false)
// @ts-expect-error -- they differ
exactly<string, any>(true)
// @ts-expect-error -- they differ
exactly<"a" | "b", "a">(true)

/**
 * Any text as text that has a UTF-8 form, and back.
 *
 * Half of a surrogate pair has none: what sends it sends U+FFFD, and two texts would
 * be one. So it becomes a noncharacter and four hexadecimal digits, and so does the
 * noncharacter itself. All other texts stay as they are.
 *
 * @since 0.1.0
 */

const escape = "\u{10FFFF}"
const unsendable = /\p{Surrogate}|\u{10FFFF}/gu
const sent = /\u{10FFFF}([0-9a-f]{4})/gu

/** `ffff` is no surrogate, and stands for the noncharacter itself. */
const codeOf = (it: string): string => (it === escape ? "ffff" : it.charCodeAt(0).toString(16))

/**
 * No two texts become one.
 *
 * @since 0.1.0
 */
export const toWellFormed = (text: string): string =>
  text.isWellFormed() && !text.includes(escape)
    ? text
    : text.replace(unsendable, (it) => escape + codeOf(it))

/**
 * What `toWellFormed` has made a text of.
 *
 * @since 0.1.0
 */
export const fromWellFormed = (text: string): string =>
  text.includes(escape)
    ? text.replace(sent, (_, code: string) =>
        code === "ffff" ? escape : String.fromCharCode(Number.parseInt(code, 16))
      )
    : text

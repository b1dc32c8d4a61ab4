/** User keys that some store, driver or encoding has stumbled over. */

const megabyte = "k".repeat(1_048_575)

export const oddKeys: Readonly<Record<string, string>> = {
  "the empty key": "",
  "a megabyte": `${megabyte}a`,
  "a megabyte that differs in its last letter": `${megabyte}b`,
  "251 bytes": "l".repeat(251),
  NUL: "a\0b",
  "CR LF": "a\r\nget b\r\n",
  blanks: " a b ",
  unicode: "ключ 🔑 鍵",
  "a composed letter": "\u00e9",
  "the same, decomposed": "e\u0301",
  "a byte order mark": "\ufeffa",
  globs: "*?[ab]^\\",
  "a star": "*",
  "a backslash": "\\",
  braces: "{a}b{c}",
  "an opening brace": "{",
  "a closing brace": "}",
  "empty braces": "{}",
  colons: "::",
  percents: "%3A%",
  "a name of bookkeeping": "!lease:{a}",
  "a name of a lock": "a:lock",
  "a property of every object": "constructor",
  "a prototype": "__proto__"
}

import { expect, it } from "@effect/vitest"
import { sqliteFile } from "../../src/policy/sqliteUrl.js"

it.each([
  ["sqlite:///larder.db", "larder.db"],
  ["sqlite:////var/lib/larder.db", "/var/lib/larder.db"],
  ["sqlite+aiosqlite:///./a/larder.db", "./a/larder.db"],
  ["SQLite:///a%20b.db", "a b.db"],
  ["sqlite:///C:/larder.db", "C:/larder.db"],
  ["sqlite://", ":memory:"],
  ["sqlite:///", ":memory:"],
  ["sqlite:///:memory:", ":memory:"],
  ["file:larder.db", "larder.db"],
  ["file:///var/larder.db", "/var/larder.db"],
  ["file://localhost/var/larder.db", "/var/larder.db"],
  ["/var/larder.db", "/var/larder.db"],
  ["C:\\larder.db", "C:\\larder.db"],
  ["larder.db", "larder.db"],
  [":memory:", ":memory:"]
])("%s is the file %s", (url, file) => {
  expect(sqliteFile(url)).toBe(file)
})

it.each([
  "",
  "file:",
  "file://host/larder.db",
  "sqlite://host/larder.db",
  "sqlite:larder.db",
  "sqlite:///larder.db?mode=ro",
  "file:larder.db?mode=ro",
  "sqlite:///%zz",
  "postgresql://user:password@host/database",
  "mysql+pymysql://user:password@host/database",
  "redis://localhost"
])("%s is no file of SQLite", (url) => {
  expect(sqliteFile(url)).toBeUndefined()
})

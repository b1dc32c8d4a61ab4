import { MemoryStorage } from "effect-larder"
import { agreesWithModel } from "./model.js"

agreesWithModel("storage in memory", MemoryStorage.layer())
agreesWithModel("storage in memory, with a ttl,", MemoryStorage.layer({ ttl: "1 day" }), {
  ttl: 86_400_000
})

export * from "./redisCluster.js"
export * from "./redisCommands.js"
export * from "./redisServer.js"

/** What results.json cannot say: what each case does, and why we lose where we do. */
export interface Section {
  readonly heading: string
  readonly about: string
  /** Printed where the results say that we are slower than somebody. */
  readonly why?: string
}

/** By the names of the cases, in the order of RESULTS.md. */
export const sections: Readonly<Record<string, Section>> = {
  hit: {
    heading: "A hit in memory",
    about: `One fiber asks 100,000 times for one of 1,024 keys that are there. Peers that promise are
awaited in a loop, those that answer at once are called in one.`,
    why: `A bare Map or lru-cache is asked by a plain call, and its \`fetch\` by a promise. A lookup of
ours is a step of a fiber: it finds the cache in the fiber's context, reads the clock, decides on
freshness and early refresh, and counts. \`Effect.sync\` over lru-cache, which does none of that, is
the floor of any cache in Effect.`
  },
  runPromise: {
    heading: "A hit in memory from outside Effect",
    about: `As above, but a \`runPromise\` a lookup: what an Effect costs a program that has none. The
others are awaited as before.`,
    why: `\`runPromise\` starts a fiber for each lookup, which costs several times the hit itself:
\`Effect.sync\` over lru-cache pays it, too. Inside of a program in Effect nobody pays it.`
  },
  miss: {
    heading: "A miss in memory",
    about: `5,000 keys never asked for before, one after the other, and a creator that costs nothing.`,
    why: `A creator runs in a fiber of its own, with a scope, so that callers can leave and take over
from each other; and it is led by a transaction. Callbacks and promises cannot be interrupted, and
need none of that. A creator worth caching takes far longer.`
  },
  stampede: {
    heading: "1,000 callers on one cold key",
    about: `A thousand callers ask at once; the creator answers a turn of the event loop later. Effect's
callers are fibers, the others' are promises. \`loads\` is how often the creator ran. keyv has no
single flight: by hand, everybody loads.`,
    why: `Starting a thousand fibers and waking them up costs more than a thousand promises:
\`Deferred by hand\`, the least that can be done in Effect, pays it, too. A promise cannot leave; a
fiber can, and takes no one with it.`
  },
  millionKeys: {
    heading: "A million keys, each once",
    about: `All through caches of 10,000 entries, so that each is a miss and evicts another. \`heap\` is
what all rounds together left behind.`,
    why: `Each is a miss, as above.`
  },
  circuitBreaker: {
    heading: "A call through a circuit breaker",
    about: `One fiber calls 100,000 times for something that costs nothing, through a circuit breaker
that is closed, and without one.`,
    why: `Nothing is as quick as no circuit breaker. Ours has to see how each call ends: two steps of a
fiber more.`
  },
  redisHit: {
    heading: "A hit in Redis",
    about: `Nothing in front of Redis, users of 73 to 130 bytes as JSON. So many callers ask in a loop
each, no two for the same key. \`CPU here\` is how long the client's process was busy.`,
    why: `With one caller a hit is one round trip for all, and ours adds what is around it: a fiber that
waits and wakes up, the entry's header, freshness, counters. Ten callers gain little by travelling
together. A hundred do, but part of what they save goes to the same work: our own target against bare
ioredis, 1.5 times its throughput, is not met in every run.`
  },
  redisRunPromise: {
    heading: "A hit in Redis from outside Effect",
    about: `The same through a \`runPromise\` a lookup, as a web server would: callers of one tick, or
each in a tick of its own.`,
    why: `A fiber for each lookup, as in memory. ioredis has none of the work of a cache: no freshness,
no single flight, nothing counted.`
  },
  redisMiss: {
    heading: "A miss in Redis",
    about: `A key never asked for before, and a creator that costs nothing. By hand it takes a lock and
gives it back, in four round trips; ours takes a lease and commits under it, in two. \`one load for\`
says what each keeps apart: all but those two let every process load.`,
    why: `A miss of ours leaves 57 kB of garbage, most of it fibers. One caller does not notice beside
the round trips; with 50 it is what the time goes to. Peers that lock nothing send a read and a write,
and every process loads for itself.`
  },
  redisStampede: {
    heading: "1,000 callers in 4 processes on one cold key in Redis",
    about: `250 callers in each process ask at once, and the creator takes 50 ms. \`loads\` is how often
it ran, in all processes together: once is what a cache is for. Medians of rounds, and the most.`,
    why: `Those who load in each process wait for nobody else's. Ours wait for one process, which
stores, publishes, and wakes the others, who then read; and each caller is a fiber.`
  },
  redisWakeUp: {
    heading: "Waiting for another process",
    about: `One client makes a value in 100 ms, the others wait for it. The delay is from when its maker
knows that it is stored to when a waiter has it. By hand is the least a waiter can do: \`PUBLISH\`,
then \`GET\`.`,
    why: `A client of ours that wakes up reads, checks and settles a rebuild: several times the CPU of a
bare \`GET\`. Here twenty of them wake up at once and share two cores with the server, so that the
last has to wait for the others: 2 to 5 ms behind by hand.`
  },
  redisLock: {
    heading: "A lock in Redis",
    about: `Taking a lock and giving it back, by one caller whom nobody is in the way of, and by fifty
who all want the same. \`withLock\` runs a body under it, as redlock's \`using\` does. The others wait
by asking again: redlock every 200 ms or so, redis-semaphore every 10 ms.`,
    why: `Alone, it is two round trips for all of them. Ours has two scripts that do more (a queue and
a fence), and around them a fiber's steps and their garbage: 67 kB a lock, of which a fork for the body
is 13. Who waits is woken instead of asking again, and that is where the time goes as soon as two want
the same lock.`
  },
  redisDown: {
    heading: "While Redis is gone",
    about: `The server is stopped, so that it is silent. A caller asks until the circuit is open; then
requests come for keys of their own, whether or not others are done, beside as many without any cache.`,
    why: `A creator that runs for whoever waits is a fiber of its own, with 16 kB of garbage more than the
same creator alone. At 250 a second that is hardly seen. At 2,000 a second the young generation is
collected twice as often, and some percent of the requests is there at the time.`
  },
  redisCommands: {
    heading: "What is sent to Redis",
    about: `Commands of an operation as the server heard them, and what they cost it by its own account.`
  },
  sqliteStorage: {
    heading: "A storage in SQLite",
    about: `One fiber sets and gets 2,000 entries, one after the other, each store in a file of its own.
The bare statements write a row and read it, through the same client and with the same JSON.`,
    why: `A single set has become nearly as quick as the driver alone: its commit is most of it, and
no fsync. What a transaction of a thousand saves is that commit; the rows, their JSON and the look at
what JSON would lose remain. The driver alone does not save ten times as much either. Where each commit
waits for the disk, that is what it saves.`
  },
  redisStorage: {
    heading: "A storage in Redis",
    about: `A hundred entries at a time, by one caller, and by ten of one process. The bare
pipelines carry the same values as JSON, and nothing else.`,
    why: `One caller waits for the server. A script that sets a hundred keys takes it twice as long as
a hundred commands do, and the client a quarter of the work: with ten callers that is what counts.`
  },
  storageMillion: {
    heading: "Listing a million keys",
    about: `How much the heap grows while keysStream goes over a million keys, looked at twenty times.`
  }
}

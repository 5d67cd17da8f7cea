// Rules of the settings under `fleet`.

import { type Finding, finding, type Rule } from "./rule.ts";

export const fleetRules: readonly Rule[] = [
  {
    says: "A server of `fleet` is named once, and its port is below 65536.",
    *find({ fleet }): Generator<Finding> {
      const servers = fleet?.servers ?? [];
      for (const [at, server] of servers.entries()) {
        const path = ["fleet", "servers", at];
        const write = "servers: [tls://hub-1.example.net:4222]";
        if (Number(server.slice(server.lastIndexOf(":") + 1)) > 65_535) {
          yield finding(path, `is ${server}`, "there is no such port", write);
        }
        if (servers.indexOf(server) !== at) {
          yield finding(path, `is ${server}`, "it is in the list already", write);
        }
      }
    },
  },
];

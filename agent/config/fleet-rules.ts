// Rules of the settings under `fleet`.

import { parseSignerKey } from "../fleet/ssh-signature.ts";
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
  {
    says: "A signer of `fleet` has a name and a key of its own, and `apply: auto` needs a signer.",
    *find({ fleet }): Generator<Finding> {
      const signers = fleet?.signers ?? [];
      const write = "name: anna, key: the first two words of her .pub file";
      for (const [at, { name, key }] of signers.entries()) {
        const path = ["fleet", "signers", at];
        const before = signers.slice(0, at);
        if (before.some((each) => each.name === name)) {
          yield finding([...path, "name"], `is ${name}`, "another signer has this name", write);
        }
        if (before.some((each) => each.key === key)) {
          yield finding([...path, "key"], "is there twice", "another signer has this key", write);
        }
        if (parseSignerKey(key) === undefined) {
          const why = "it is not such a key: RSA has 2048 to 8192 bits, the others one size";
          yield finding([...path, "key"], "cannot be read", why, write);
        }
      }
      if (fleet?.apply === "auto" && signers.length === 0) {
        const why = "without `signers` there is no proposal to apply";
        yield finding(["fleet", "apply"], "is auto", why, "signers: [{ name: anna, key: ... }]");
      }
    },
  },
];

// Rules between the settings under `serve` and `telemetry`.

import { isIP } from "node:net";
import { checkPrivateRange } from "#drivers/azure/azure-url.ts";
import { isLoopback } from "../model/page-guard.ts";
import type { Path } from "./complaint.ts";
import { type Finding, finding, type Rule } from "./rule.ts";
import type { Config } from "./schema.ts";

export const telemetryRules: readonly Rule[] = [
  {
    says: "A port that is served, or sent to, is below 65536.",
    *find({ serve, telemetry }) {
      const { listen } = serve.metrics ?? {};
      const places: readonly (readonly [Path, string | undefined, string])[] = [
        [["serve", "metrics", "listen"], listen, "listen: 127.0.0.1:9464"],
        [["serve", "page", "listen"], serve.page?.listen, "listen: 127.0.0.1:9443"],
        ...sent(telemetry).map(
          ({ path, receiver }) =>
            [[...path, "url"], receiver.url, "url: https://HOST/PATH"] as const,
        ),
      ];
      for (const [path, text = "", write] of places) {
        const port = /^(?:https?:\/\/)?(?:\[[0-9a-f:.]+\]|[a-z0-9.-]+):(\d+)(?:\/|$)/i.exec(
          text,
        )?.[1];
        if (Number(port ?? 0) < 65_536) continue;
        yield finding(path, `is ${text}`, "there is no such port", write);
      }
    },
  },
  {
    says: "`serve.page` is served under TLS where `listen` is beyond loopback.",
    *find({ serve: { page } }) {
      if (page === undefined) return;
      const path: Path = ["serve", "page", "listen"];
      const host = /^\[?(.*?)\]?:\d+$/.exec(page.listen)?.[1] ?? "";
      if (isIP(host) === 0) {
        yield finding(path, `is ${page.listen}`, "it is not an address", "listen: 127.0.0.1:9443");
      } else if (page.tls === undefined && !isLoopback(host)) {
        const why = "what others on the network see must be protected";
        const write = "tls: { certificate: credential:NAME, key: credential:NAME } beside it";
        yield finding(path, `is ${page.listen}`, why, write);
      }
    },
  },
  {
    says:
      "`telemetry.*.privateEndpoints` are in private address space, and a header is not one that " +
      "HTTP itself needs.",
    *find({ telemetry }) {
      for (const { path, receiver } of sent(telemetry)) {
        yield* ranges([...path, "privateEndpoints"], receiver.privateEndpoints);
        const name = receiver.header?.name ?? "";
        if (!reserved.test(name)) continue;
        const why = "it says how a message is carried";
        yield finding([...path, "header", "name"], `is ${name}`, why, "name: authorization");
      }
    },
  },
];

/** Headers that RFC 9110 and 9112 use for framing, connection and representation. */
const reserved =
  /^(host|connection|content-.*|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy-.*)$/;

type Telemetry = Config["telemetry"];
type Receiver = NonNullable<Telemetry["webhook"] | Telemetry["otlp"]>;

function sent(telemetry: Telemetry): { readonly path: Path; readonly receiver: Receiver }[] {
  return (["webhook", "otlp"] as const).flatMap((name) => {
    const receiver = telemetry[name];
    return receiver === undefined ? [] : [{ path: ["telemetry", name], receiver }];
  });
}

function* ranges(path: Path, prefixes: readonly string[]): Generator<Finding> {
  for (const [i, range] of prefixes.entries()) {
    const why = checkPrivateRange(range);
    if (why === undefined) continue;
    yield finding([...path, i], `is ${range}`, why, "privateEndpoints: [10.20.0.0/24]");
  }
}

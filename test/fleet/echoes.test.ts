// P5 with routers that repeat a key when the change is committed: nothing that the agent says or
// stores contains a piece of it, in whatever form the router writes it.

import { describe, expect, it } from "vitest";
import { readXml } from "#drivers/transport/xml.ts";
import type { EmulatorSession, Wire } from "#sim/emulators/netconf.ts";
import { type Platform, platforms, spokenBy } from "../conformance/place.ts";
import { echoForms, leakOf } from "../unit/kit/echo-forms.ts";
import { RouterStage } from "./router-stage.ts";

/** Platforms, and how many commits an agent tries on each at least: the check of Junos is one. */
const vendors = [
  ["8201-32FH 7.11.2", 2],
  ["C8500-12X4QC 17.15.1", 2],
  ["C9336C-FX2 9.3.6", 2],
  ["7280R3 4.34.1F", 2],
  ["ptx10008 23.4R2", 1],
] as const satisfies readonly (readonly [keyof typeof platforms, number])[];

/** The forms in one answer: an error shows no more than 300 characters of it. */
const groups = [
  ["hex", "HEX", "type 7"],
  ["hex with colons", "base64", "base64 of the digits"],
  ["hex over two lines", "$9$"],
  ["UTF-16", "backslash escapes"],
] as const;

/** So many of them that each form is in an answer. */
const runs = vendors.flatMap(([name, each]) =>
  groups.flatMap((_, first) => (first % each === 0 ? [[name, first, each] as const] : [])),
);

const typedKey =
  /(?:key-string |key-octet-string |\bkey [0-9a-f]{2,64} 0 |<(?:cak|secret)>)([0-9A-Fa-f]{32,64})/;
const commits = /^(?:commit\b|end$|copy |write )|<commit-configuration/m;

interface Echoed {
  readonly written: readonly string[];
  readonly key: string;
}

/** Repeats a key of a session in the answer to its commit, each time in other forms. */
class EchoingWire {
  readonly #wire: Wire;
  readonly #first: number;
  readonly #echoed: Echoed[];
  #keys: readonly string[] = [];
  #isDue = false;

  constructor(wire: Wire, first: number, echoed: Echoed[]) {
    this.#wire = wire;
    this.#first = first;
    this.#echoed = echoed;
  }

  hear(octets: Uint8Array): void {
    const text = Buffer.from(octets).toString();
    const [, key] = typedKey.exec(text) ?? [];
    if (key !== undefined) this.#keys = [...this.#keys, key];
    if (this.#keys.length > 0 && commits.test(text)) this.#isDue = true;
  }

  send(octets: Uint8Array): void {
    const text = Buffer.from(octets).toString();
    const isReply = text.includes("</rpc-reply>");
    if (!this.#isDue || !(isReply || text.includes("\r\n"))) {
      this.#wire.send(octets);
      return;
    }
    this.#isDue = false;
    const [key = ""] = this.#keys;
    const group = groups[(this.#first + this.#echoed.length) % groups.length] ?? groups[0];
    const bytes = Buffer.from(key, "hex");
    const written = group.map((form) => echoForms[form]?.(bytes, () => 5) ?? "");
    this.#echoed.push({ written, key });
    const said = `${written.join(" ")} is weak`;
    const answer = isReply
      ? refusal(/message-id="(\w+)"/.exec(text)?.[1] ?? "", said.replaceAll("\0", ""))
      : text.replace("\r\n", () => `\r\n% Invalid input: ${said}\r\n`);
    const framed = text.startsWith("\n#") ? `\n#${answer.length}\n${answer}\n##\n` : answer;
    const end = isReply && framed === answer ? "]]>]]>" : "";
    this.#wire.send(Buffer.from(`${framed}${end}`, "latin1"));
  }

  close(): void {
    this.#wire.close();
  }
}

const refusal = (id: string, said: string): string =>
  `<rpc-reply xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="${id}"><rpc-error>` +
  "<error-type>application</error-type><error-tag>operation-failed</error-tag>" +
  `<error-severity>error</error-severity><error-message>${said}</error-message>` +
  "</rpc-error></rpc-reply>";

function echoing(platform: Platform, first: number, echoed: Echoed[]) {
  const emulatorOf: Platform["emulatorOf"] = (router) => {
    const emulator = platform.emulatorOf(router);
    const connect = (wire: Wire): EmulatorSession | undefined => {
      const around = new EchoingWire(wire, first, echoed);
      const session = emulator.connect(around);
      return (
        session && {
          receive: (octets) => {
            around.hear(octets);
            session.receive(octets);
          },
          gone: () => session.gone(),
        }
      );
    };
    return { connect };
  };
  // The router has the key anyway: what it says is not searched, but what the agent says.
  return spokenBy({ ...platform, emulatorOf, echo: /^/ });
}

describe("a router that repeats a key at its commit", () => {
  it.each(runs)(
    "nothing of the key is in log, events, status, journal or audit: %s, forms from %s on",
    async (name, first, commitsMin) => {
      // Loads the XML reader first, because virtual time does not wait for it.
      await readXml(new TextEncoder().encode("<a/>"), "nowhere");
      const echoed: Echoed[] = [];
      const stage = new RouterStage(`echo ${name}`, echoing(platforms[name], first, echoed));
      const said: string[] = [];
      const { oracle } = stage;
      const emitted = oracle.emitted.bind(oracle);
      oracle.emitted = (where, what) => {
        said.push(Buffer.from(what as string).toString("latin1"));
        emitted(where, what);
      };
      await stage.run(stage.begin());
      await stage.site.clock.runFor(600_000);
      const { agent } = stage;
      said.push(JSON.stringify([agent.status(), agent.memory, agent.events.after(0).events]));
      said.push(...stage.stored().map(({ bytes }) => Buffer.from(bytes).toString("latin1")));
      const all = said.join("\n");
      expect(echoed.length).toBeGreaterThanOrEqual(commitsMin);
      expect(all).toContain("the device refuses");
      for (const { written, key } of echoed) {
        for (const one of written) expect(leakOf(all, one)).toBeUndefined();
        expect(leakOf(all, key)).toBeUndefined();
      }
      expect(stage.complaints().filter((one) => one.includes("P5"))).toEqual([]);
    },
  );
});

// The table of a driver's queries against simulated routers: it has every query that the agent
// sends, its readers understand what the agent understands, it changes nothing, and its bundles
// have no name, no address and no secret.

import { beforeAll, describe, expect, it } from "vitest";
import {
  driverBundle,
  parseBundle,
  type Read,
  readOf,
  readsOf,
} from "#agent/operate/driver-reads.ts";
import { command as eosCommand } from "#drivers/eos/commands.ts";
import { Disguise, type Exchange, type QueryReader } from "#drivers/index.ts";
import { command as xeCommand } from "#drivers/iosxe/commands.ts";
import { command as xrCommand } from "#drivers/iosxr/commands.ts";
import { operation } from "#drivers/junos/operations.ts";
import { command as nxCommand } from "#drivers/nxos/commands.ts";
import { Query } from "#drivers/platform/query.ts";
import { understandingOf } from "#drivers/platform/query-table.ts";
import { netconfForm } from "#drivers/platform/reader-forms.ts";
import { readXml, type XmlElement, type XmlOut } from "#drivers/transport/xml.ts";
import { type Command, preview } from "#hal/secret.ts";
import { Prng } from "#sim/base/prng.ts";
import { type Platform, platforms } from "./place.ts";
import { asked, type Furnished, furnished } from "./queries-kit.ts";
import { drive } from "./rig.ts";

const names = [
  "7280CR3MK 4.30.5M",
  "AWE-5510 4.32.2F",
  "C8500-12X4QC 17.15.1",
  "C9500-48Y4C 17.9.4",
  "8201-32FH 7.11.2",
  "C9336C-FX2 9.3.6",
  "ptx10008 23.4R2",
  "srx4600 23.4R2",
] as const;

/** A query of an observation, the reader that it used, and what that made of the reply. */
interface Observed {
  readonly query: string;
  readonly reply: string | XmlElement;
  readonly read: (reply: never) => unknown;
}

const isCommand = (asked: object): asked is Command => Array.isArray(asked);

/** Words a query as its table does. */
function textOf(vendor: Platform["vendor"], asked: string | object, argument?: string): string {
  if (typeof asked !== "string") {
    return isCommand(asked) ? preview(asked) : netconfForm.textOf(asked as XmlOut);
  }
  switch (vendor) {
    case "eos":
      return preview(eosCommand(asked as Parameters<typeof eosCommand>[0]));
    case "iosxe":
      return preview(xeCommand(asked as Parameters<typeof xeCommand>[0], argument));
    case "iosxr":
      return preview(xrCommand(asked as Parameters<typeof xrCommand>[0], "#", argument));
    case "nxos":
      return preview(nxCommand(asked as Parameters<typeof nxCommand>[0], argument));
    case "junos":
      return netconfForm.textOf(operation(asked as Parameters<typeof operation>[0], argument));
  }
}

type Result = (this: unknown, ...words: readonly unknown[]) => unknown;

/** Observes the router once, and returns each query with its reply. */
async function observed({ place, device }: Furnished): Promise<readonly Observed[]> {
  const { vendor } = place.platform;
  const found: Observed[] = [];
  const inner = Reflect.get(Query.prototype, "result") as Result;
  const heard: Result = function (this, asked, read, argument) {
    const query = textOf(vendor, asked as string | object, argument as string | undefined);
    const reader = read as (reply: never) => unknown;
    const listen = (reply: never): unknown => {
      found.push({ query, reply, read: reader });
      return reader(reply);
    };
    return inner.call(this, asked, listen, argument);
  };
  Reflect.set(Query.prototype, "result", heard);
  try {
    await drive(place.rig.clock, device.observe(new AbortController().signal));
  } finally {
    Reflect.set(Query.prototype, "result", inner);
  }
  return found;
}

const configNames: Readonly<Record<string, string>> = { "get-config": "get-config of ports" };

/** The name of a query in its table: a filter of NETCONF has one. */
function nameIn({ rows }: QueryReader, query: string): string {
  if (!query.startsWith("get-config ")) return query;
  const name = query.includes("routing-options")
    ? "get-config of tunnels"
    : configNames["get-config"];
  return rows.find((row) => row.name === name)?.name ?? query;
}

const octetsOf = (reply: string | XmlElement): Uint8Array =>
  new TextEncoder().encode(typeof reply === "string" ? reply : netconfForm.encode(reply));

const plain = (value: unknown): string =>
  JSON.stringify((understandingOf({ value: { value } }).understood as { value: unknown }).value);

beforeAll(async () => {
  await readXml(new TextEncoder().encode("<warm/>"), "nowhere");
});

describe("the table of a driver's queries", () => {
  it.each(names)("each query of an observation has a row in the table: %s", async (name) => {
    const router = await furnished(platforms[name]);
    const all = await observed(router);
    expect(all.length).toBeGreaterThan(8);
    const missing: string[] = [];
    for (const { query, reply } of all) {
      const read = await router.reader.read(nameIn(router.reader, query), octetsOf(reply));
      if (read === undefined) missing.push(query);
    }
    expect(missing).toEqual([]);
  });

  it.each(names)("a row understands a reply exactly where the agent does: %s", async (name) => {
    const router = await furnished(platforms[name]);
    const { reader, place } = router;
    const seed = `rows ${name}`;
    console.log(`seed ${seed}`);
    const prng = new Prng(seed);
    const different: string[] = [];
    let unread = 0;
    for (const one of await observed(router)) {
      for (const reply of [one.reply, ...cutAtRandom(prng, one.reply)]) {
        const agent = readBy(one.read, reply);
        const row = await reader.read(nameIn(reader, one.query), octetsOf(reply));
        const isKnown = row?.understood !== null;
        const isText = typeof reply === "string" && isKept(agent, reply);
        unread += agent === undefined ? 1 : 0;
        // A text that the agent keeps as it is, is read together with others.
        if (!isText && isKnown !== (agent !== undefined)) different.push(one.query);
      }
    }
    expect(different).toEqual([]);
    expect(place.platform.vendor === "junos" || unread > 0).toBe(true);
  });

  it.each(names)("what a row shows is what the agent read, value by value: %s", async (name) => {
    const router = await furnished(platforms[name]);
    const { reader } = router;
    let compared = 0;
    for (const { query, reply, read } of await observed(router)) {
      const agent = readBy(read, reply);
      if (typeof agent !== "object" || agent === null) continue;
      const row = await reader.read(nameIn(reader, query), octetsOf(reply));
      const shown = JSON.stringify(row?.understood);
      if (shown.includes(plain(agent))) compared += 1;
    }
    // Others are made of several replies, or shown in part.
    expect(compared).toBeGreaterThan(2);
  });

  it.each(names)("a reading of the whole device changes nothing on it: %s", async (name) => {
    const router = await furnished(platforms[name]);
    const { rig, emulator } = router.place;
    const configuration = (): string =>
      JSON.stringify([Reflect.get(emulator, "current"), rig.router.running], plainly);
    const before = configuration();
    expect(before.length).toBeGreaterThan(200);
    const effects = rig.effects.count;
    const sent: string[] = [];
    const exchanges = await asked(router, sent);
    expect(configuration()).toBe(before);
    expect(rig.effects.count).toBe(effects);
    const rows = router.reader.rows.filter((row) => !row.name.startsWith("ping"));
    expect(exchanges.length).toBeGreaterThan(rows.length / 2);
    const changing = sent.flatMap((text) => text.split("\n")).filter(isChange);
    expect(changing).toEqual([]);
  });

  it.each(names)("every reply of a whole emulated router is understood: %s", async (name) => {
    const router = await furnished(platforms[name]);
    const unknown: string[] = [];
    for (const exchange of await asked(router)) {
      const read = await readOf(router.reader, exchange);
      unknown.push(...read.unknown.map(({ what, why }) => `${read.query}: ${what}: ${why}`));
    }
    expect(unknown.filter((one) => !isExpected(one))).toEqual([]);
  });
});

describe("a bundle of a driver's replies", () => {
  it.each(names)("is read again as the replies were, but for the words: %s", async (name) => {
    const router = await furnished(platforms[name]);
    const { reader, place } = router;
    const exchanges = await asked(router);
    const bundle = await driverBundle(place.platform.vendor, reader, exchanges);
    const parsed = parseBundle(JSON.stringify(bundle));
    if (parsed === undefined) throw new Error("it is no bundle");
    const again = await readsOf(reader, parsed);
    const states = exchanges.filter(({ row }) => row.reply === "state");
    expect(again).toHaveLength(states.length);
    const words = new Map<string, string>();
    for (const [index, exchange] of states.entries()) {
      const read = await readOf(reader, exchange);
      expect(differences(read, again[index], words)).toEqual([]);
    }
  });

  it.each(names)("holds no address, name, CKN or configuration: %s", async (name) => {
    const router = await furnished(platforms[name]);
    const { reader, place } = router;
    const exchanges = await asked(router);
    const text = JSON.stringify(await driverBundle(place.platform.vendor, reader, exchanges));
    const all = exchanges.map(({ reply }) => (typeof reply === "string" ? reply : "")).join("\n");
    const own = all.match(/\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[0-9a-fA-F]{24,64}\b|edge-a/g) ?? [];
    const telling = [...new Set(own)].filter((one) => !/^[0.]+$/.test(one));
    expect(telling.length).toBeGreaterThan(3);
    expect(telling.filter((one) => text.toLowerCase().includes(one.toLowerCase()))).toEqual([]);
    const configurations = exchanges.filter(({ row }) => row.reply === "configuration");
    expect(configurations.length).toBeGreaterThan(0);
    for (const { query } of configurations) expect(text).not.toContain(JSON.stringify(query));
  });

  it.each(names)("holds none of the secrets that a reply may show: %s", async (name) => {
    const router = await furnished(platforms[name]);
    const { reader, place } = router;
    const exchanges = (await asked(router)).map((one) => withSecrets(one, place.platform.vendor));
    const text = JSON.stringify(await driverBundle(place.platform.vendor, reader, exchanges));
    const found = canaries.filter((canary) => {
      const forms = [canary, Buffer.from(canary).toString("hex"), btoa(canary)];
      return forms.some((form) => text.toLowerCase().includes(form.toLowerCase()));
    });
    expect(found).toEqual([]);
  });

  it("a disguise that lets every word stay is caught", async () => {
    const router = await furnished(platforms["C8500-12X4QC 17.15.1"]);
    const [exchange] = (await asked(router)).map((one) => withSecrets(one, "iosxe"));
    if (exchange === undefined) throw new Error("nothing was asked");
    const all = Disguise.vocabulary(canaries.join(" "));
    const spoilt = new Disguise().knowing(all);
    const text = typeof exchange.reply === "string" ? exchange.reply : "";
    expect(canaries.some((canary) => spoilt.line(text).includes(canary))).toBe(true);
  });
});

const canaries = [
  "Zq8vTr0ub4dor",
  "082E4F4B0A16",
  "JDYHarSKUMgKJKbfGaZBSXHQRVRi",
  "aBcD3FghIjKlMn0p",
  "QuietGateLampsSeven",
  "publicwalker",
  "deadbeefcafe0123456789abcdef4242",
];
const [plainWord, typeSeven, typeSix, junosNine, free, community, octets] = canaries;

/** Adds statements with secrets, and words that no statement names, in the form of the platform. */
function withSecrets(exchange: Exchange, vendor: Platform["vendor"]): Exchange {
  const { reply } = exchange;
  if (typeof reply !== "string") return exchange;
  const lines = [
    ` neighbor 203.0.113.9 password 7 ${typeSeven}`,
    `username ops secret 9 ${plainWord}`,
    ` key-string 7 ${typeSeven}`,
    ` password 6 ${typeSix}`,
    ` cryptographic thing 6 ${typeSix}`,
    `snmp-server community ${community} RO`,
    `radius-server host 192.0.2.9 key ${free}`,
    ` authentication-key "$9$${junosNine}"`,
    ` pre-shared-key ${plainWord}`,
    `  Description: ${free} ${octets}`,
    `an operator typed ${plainWord} here, ${octets}`,
  ];
  if (vendor === "junos") {
    const elements = [
      `<authentication-key>$9$${junosNine}</authentication-key>`,
      `<pre-shared-key><ascii-text>$9$${junosNine}</ascii-text></pre-shared-key>`,
      `<description>${free} ${octets}</description>`,
      `<community>${community}</community><secret>${plainWord}</secret>`,
      `<name>${plainWord}</name><${free}>${typeSeven} ${typeSix}</${free}>`,
    ];
    return { ...exchange, reply: reply.replace(/<\/[^<>]+>$/, (end) => elements.join("") + end) };
  }
  if (/^\s*\{/.test(reply)) {
    const members = {
      sharedSecret: plainWord,
      password: { encrypted: typeSeven },
      community,
      md5Key: junosNine,
      description: `${free} ${octets}`,
      list: [`password ${plainWord}`, free, `7 ${typeSeven}`, typeSix],
      [String(free)]: community,
    };
    const text = JSON.stringify({ ...(JSON.parse(reply) as object), ...members });
    return { ...exchange, reply: text };
  }
  return { ...exchange, reply: `${reply}\n${lines.join("\n")}` };
}

/** Whether the agent keeps the reply, or its beginning, to read it together with others. */
const isKept = (agent: unknown, reply: string): boolean =>
  typeof agent === "string" && reply.startsWith(agent);

/** A line that a reading of a device must never send. */
function isChange(line: string): boolean {
  const changing =
    /^(?:do )?(?:conf|commit|clear|write|copy|reload|delete|set|no |end$|abort|erase|request)/;
  return (
    changing.test(line.trim()) || /<(?:edit-config|commit|load-|lock|discard|delete)/.test(line)
  );
}

/** Writes the maps and counts of a configuration as JSON. */
function plainly(_key: string, value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Set) return [...value];
  return typeof value === "bigint" ? String(value) : value;
}

/** What a simulated router does not have. */
const isExpected = (unknown: string): boolean =>
  /next hop|macsec statistics interface \S+: the whole|: port: unparsed/.test(unknown);

/** A reply with such a line is a refusal, before any reader sees it. */
const refusal = /^(?:%|Error:|Command rejected|Rollback aborted|!!%)/m;

/** Makes shorter and mixed replies of one. */
function cutAtRandom(prng: Prng, reply: string | XmlElement): readonly (string | XmlElement)[] {
  const cuts = Array.from({ length: 12 }, () => {
    if (typeof reply !== "string") return pruned(prng, reply);
    const from = prng.between(0, reply.length);
    const to = Math.min(reply.length, from + prng.between(1, 200));
    // A terminal ends no line with blanks.
    return (reply.slice(0, from) + reply.slice(to)).replaceAll(/ +$/gm, "");
  });
  return cuts.filter((text) => typeof text !== "string" || !refusal.test(text));
}

function pruned(prng: Prng, element: XmlElement): XmlElement {
  const children = element.children.filter(() => prng.chance(0.95));
  return { ...element, children: children.map((child) => pruned(prng, child)) };
}

function readBy(read: (reply: never) => unknown, reply: string | XmlElement): unknown {
  try {
    return read(reply as never);
  } catch {
    return undefined;
  }
}

/** Compares two readings; words may differ if they differ alike everywhere. */
function differences(
  before: Read,
  after: Read | undefined,
  words: Map<string, string>,
): readonly string[] {
  const found: string[] = [];
  const same = (a: unknown, b: unknown, at: string): void => {
    if (typeof a !== typeof b || (a === null) !== (b === null)) found.push(`${at}: kind`);
    else if (typeof a === "object" && a !== null && b !== null) {
      const [one, two] = [Object.entries(a), Object.entries(b as object)];
      if (one.length !== two.length) found.push(`${at}: ${one.length} ${two.length}`);
      for (const [index, [key, value]] of one.entries()) {
        const [otherKey = "", other] = two[index] ?? [];
        word(key, otherKey, at);
        same(value, other, `${at} ${key}`);
      }
    } else if (typeof a === "boolean") {
      if (a !== b) found.push(`${at}: ${a} ${String(b)}`);
    } else word(String(a), String(b), at);
  };
  const word = (a: string, b: string, at: string): void => {
    if (a === b) return;
    const known = words.get(a.toLowerCase());
    if (known !== undefined && known !== b.toLowerCase()) found.push(`${at}: ${a} ${known} ${b}`);
    words.set(a.toLowerCase(), b.toLowerCase());
  };
  same(before.understood, after?.understood, before.query);
  const gaps = ({ unknown }: Read): readonly string[] => unknown.map(({ why }) => why);
  if (after === undefined) return [`${before.query} is missing`];
  same(gaps(before), gaps(after), `${before.query} unknown`);
  return found;
}

// What the document of a port says, and that a write leaves all of it as it was but for one link.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PeerState, PeerWant } from "#hal/device.ts";
import { effort } from "../../../effort.ts";
import { documented } from "../../kit/arm-bench.ts";
import { ckn, never, refused } from "../../kit/site-bench.ts";

const vault = "https://kv-erd.vault.azure.net/secrets";
const version = "0123456789abcdef0123456789abcdef";
const ids = { cak: `${vault}/erd-1-cak/${version}`, ckn: `${vault}/erd-1-ckn/${version}` };
const want: PeerWant = {
  key: { ckn: ckn("a"), cakSecretId: ids.cak, cknSecretId: ids.ckn },
  suite: "gcm-aes-xpn-256",
  sci: "on",
  admin: "up",
};

/** JSON as it is written: numbers are digits, and properties stand in an order. */
type Node =
  | { readonly digits: string }
  | { readonly text: string }
  | { readonly word: "true" | "false" | "null" }
  | { readonly list: readonly Node[] }
  | { readonly entries: Entries };
type Entries = readonly (readonly [string, Node])[];

function written(node: Node): string {
  if ("digits" in node) return node.digits;
  if ("word" in node) return node.word;
  if ("text" in node) return JSON.stringify(node.text);
  if ("list" in node) return `[${node.list.map(written).join(",")}]`;
  const inner = node.entries.map(([key, value]) => `${JSON.stringify(key)}:${written(value)}`);
  return `{${inner.join(",")}}`;
}

const text = (value: string): Node => ({ text: value });

/** Where it stands already, else at the end. */
function set(entries: Entries, key: string, value: Node): Entries {
  const known = entries.some(([name]) => name === key);
  if (!known) return [...entries, [key, value]];
  return entries.map(([name, before]) => [name, name === key ? value : before]);
}

function change(entries: Entries, key: string, f: (inner: Entries) => Entries): Entries {
  const found = entries.find(([name]) => name === key)?.[1];
  const inner = found !== undefined && "entries" in found ? found.entries : [];
  return set(entries, key, { entries: f(inner) });
}

function changedLink(link: Entries): Entries {
  return change(link, "properties", (properties) =>
    change(set(properties, "adminState", text("Enabled")), "macSecConfig", (config) =>
      [
        ["cknSecretIdentifier", ids.ckn],
        ["cakSecretIdentifier", ids.cak],
        ["cipher", "GcmAesXpn256"],
        ["sciState", "Enabled"],
      ].reduce((all, [key = "", value = ""]) => set(all, key, text(value)), config),
    ),
  );
}

const digits = fc.oneof(
  fc.stringMatching(/^-?(0|[1-9]\d{0,25})$/),
  fc.stringMatching(/^-?(0|[1-9]\d{0,5})\.\d{1,20}$/),
  fc.stringMatching(/^[1-9]\d{0,3}[eE][+-]?\d{1,3}$/),
);
// Keys that look like an index are put first by every JavaScript engine, and none is known here.
// Once the JSON.parse of Node 24 met a key that ends in a backslash, it takes `"x\""` for that key
// too; a tag of Azure has no backslash (docs/sources.md).
const key = fc.oneof(
  fc.string({ maxLength: 6 }).map((name) => `x${name.replaceAll("\\", "/")}`),
  fc.constant("__proto__"),
);
const { node } = fc.letrec<{ node: Node; entries: Node }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3 },
    digits.map((value): Node => ({ digits: value })),
    fc.string({ unit: "binary", maxLength: 8 }).map(text),
    fc.constantFrom<Node>({ word: "true" }, { word: "false" }, { word: "null" }),
    fc.array(tie("node"), { maxLength: 3 }).map((list): Node => ({ list })),
    tie("entries"),
  ),
  entries: entriesOf(tie("node")).map((entries): Node => ({ entries })),
}));

function entriesOf(value: fc.Arbitrary<Node>): fc.Arbitrary<Entries> {
  const pair = fc.tuple(key, value);
  return fc.uniqueArray(pair, { maxLength: 3, selector: ([name]) => name });
}

/** Unknown properties, around and between known ones. */
const around = (known: fc.Arbitrary<Entries>): fc.Arbitrary<Entries> =>
  fc.tuple(known, entriesOf(node), fc.nat(9)).map(([entries, unknown, at]) => {
    const place = Math.min(at, entries.length);
    return [...entries.slice(0, place), ...unknown, ...entries.slice(place)];
  });

const config = around(
  fc.subarray<readonly [string, Node]>([
    ["sciState", text("Disabled")],
    ["cipher", text("GcmAes128")],
    ["cakSecretIdentifier", text(`${vault}/old/${version}`)],
    ["cknSecretIdentifier", { word: "null" }],
  ]),
);
const linkProperties = around(
  fc.tuple(config, fc.boolean()).map(([entries, given]): Entries => {
    const admin = ["adminState", text("Disabled")] as const;
    return given
      ? [admin, ["macSecConfig", { entries }]]
      : [["provisioningState", text("Succeeded")]];
  }),
);
const link = (name: string): fc.Arbitrary<Entries> =>
  around(
    linkProperties.map((entries) => [
      ["name", text(name)],
      ["properties", { entries }],
    ]),
  );
const links = fc.tuple(link("link1"), link("link2"), fc.boolean());
const propertiesOf = (both: readonly Entries[]): Entries => [
  ["provisioningState", text("Succeeded")],
  ["links", { list: both.map((entries) => ({ entries })) }],
];

describe("a write", () => {
  it("a write leaves every other byte of the document as it was", async () => {
    const parts = fc.record({ links, top: entriesOf(node), inner: entriesOf(node) });
    await fc.assert(
      fc.asyncProperty(parts, fc.constantFrom("link1", "link2"), async (drawn, own) => {
        const [first, second, swapped] = drawn.links;
        const document = (one: Entries, other: Entries): string => {
          const properties = propertiesOf(swapped ? [other, one] : [one, other]);
          const entries = [...drawn.inner, ...properties];
          return written({ entries: [...drawn.top, ["properties", { entries }]] });
        };
        const bench = documented(document(first, second), own);
        await bench.peer.put(want, async () => undefined, never);
        const after =
          own === "link1"
            ? document(changedLink(first), second)
            : document(first, changedLink(second));
        expect(bench.written).toEqual([after]);
      }),
      { numRuns: effort(300, 20_000) },
    );
  });
});

interface LinkDocument {
  readonly macSecConfig?: unknown;
  readonly adminState?: string;
  readonly port?: Readonly<Record<string, unknown>>;
  readonly top?: Readonly<Record<string, unknown>>;
  readonly links?: readonly unknown[];
}

function documentOf({
  macSecConfig,
  adminState = "Enabled",
  port,
  top,
  links: all,
}: LinkDocument): string {
  const properties = { adminState, provisioningState: "Succeeded", macSecConfig };
  const both = all ?? [
    { name: "link1", properties },
    { name: "link2", properties: {} },
  ];
  return JSON.stringify({
    etag: "1",
    ...top,
    properties: { provisioningState: "Succeeded", links: both, ...port },
  });
}

const observed = (spec: LinkDocument): Promise<PeerState> =>
  documented(documentOf(spec)).peer.observe(never);

describe("the state in a document", () => {
  const off = { cipher: "GcmAes128", sciState: "Disabled" };
  it("a link without identifiers is off, whatever cipher the document shows", async () => {
    for (const macSecConfig of [off, { ...off, cakSecretIdentifier: null }, undefined, null]) {
      expect((await observed({ macSecConfig })).pointsAt).toBeUndefined();
    }
  });

  it.each<[string, string, string]>([
    ["a versioned id", ids.cak, ids.cak],
    ["one without a version", `${vault}/erd-1-cak`, `${vault}/erd-1-cak`],
    [
      "one of another vault",
      "https://other.vault.azure.net/secrets/a/b",
      "https://other.vault.azure.net/secrets/a/b",
    ],
    ["one as PowerShell writes it", ids.cak.replace(".net/", ".net:443/"), ids.cak],
    ["one with capital letters in its host", ids.cak.replace("kv-erd", "KV-ERD"), ids.cak],
    ["one that is not a URL of a vault", "http://plain", "http://plain"],
  ])(
    "secret ids are read from the document: %s",
    async (_name, cakSecretIdentifier, cakSecretId) => {
      const macSecConfig = { ...off, cakSecretIdentifier, cknSecretIdentifier: ids.ckn };
      const { pointsAt } = await observed({ macSecConfig });
      expect(pointsAt).toEqual({ cakSecretId, cknSecretId: ids.ckn });
    },
  );

  it("a link with one identifier is neither off nor a usable key", async () => {
    const { pointsAt } = await observed({ macSecConfig: { ...off, cakSecretIdentifier: ids.cak } });
    expect(pointsAt).toEqual({ cakSecretId: ids.cak, cknSecretId: "" });
  });

  it.each([
    ["Succeeded", "Succeeded", "settled"],
    ["Succeeded", "Updating", "updating"],
    ["Succeeded", "Failed", "failed"],
    ["Updating", "Succeeded", "updating"],
    ["Failed", "Succeeded", "failed"],
    ["Canceled", "Succeeded", "failed"],
    ["Deleting", "Succeeded", "updating"],
    ["Inventing", "Succeeded", "updating"],
    [undefined, "Succeeded", "unknown"],
  ] as const)("a port that is %s with a link that is %s is %s", async (port, own, provisioning) => {
    const properties = { adminState: "Enabled", provisioningState: own };
    const both = [
      { name: "link1", properties },
      { name: "Link2", properties: {} },
    ];
    const state = await observed({ links: both, port: { provisioningState: port } });
    expect(state.provisioning).toBe(provisioning);
    expect(state.details?.provisioning).toEqual({ port, link: own });
  });

  it("a document gives the details for comparing both ends", async () => {
    const userAssignedIdentities = { "/subscriptions/s/x": {}, "/subscriptions/s/../y": {} };
    const circuits = [
      { id: "/subscriptions/s/circuits/one" },
      { id: "/subscriptions/s/../elsewhere" },
      { id: "/subscriptions/s?x" },
      {},
    ];
    const { details, suite, admin } = await observed({
      top: { identity: { type: "UserAssigned", userAssignedIdentities } },
      port: { bandwidthInGbps: 10, circuits },
      macSecConfig: { cipher: "GcmAes512" },
      adminState: "Disabled",
    });
    expect([suite, admin]).toEqual([undefined, "down"]);
    expect(details).toEqual({
      identity: "present",
      identities: ["/subscriptions/s/x"],
      bandwidthGbps: 10,
      cipher: "GcmAes512",
      provisioning: { port: "Succeeded", link: "Succeeded" },
      failure: undefined,
      circuits: ["/subscriptions/s/circuits/one"],
    });
    expect((await observed({})).details?.identity).toBe("missing");
  });

  const one = { name: "link1", properties: {} };
  const two = { name: "link2", properties: {} };
  it.each<[string, readonly unknown[], string]>([
    ["no links", [], "it does not have two links"],
    ["one link", [one], "it does not have two links"],
    ["three links", [one, two, { name: "link3" }], "it does not have two links"],
    ["a link twice", [one, { ...one }], "it does not have one link1"],
    ["another name", [two, { name: "link3" }], "it does not have one link1"],
    ["no object", [one, 2], "it does not have two links"],
    [
      "an odd id",
      [{ ...one, properties: { macSecConfig: { cakSecretIdentifier: 7 } } }, two],
      "a secret identifier is not a URL",
    ],
  ])(
    "a document that contains %s makes no sense, and nothing is written",
    async (_name, both, why) => {
      const bench = documented(documentOf({ links: both }));
      const looks = [
        await refused(bench.peer.observe(never)),
        await refused(bench.peer.put(want, async () => undefined, never)),
      ];
      for (const { code, effect, message } of looks) {
        expect([code, effect]).toEqual(["peer.rejected", "none"]);
        expect(message).toBe(`the document of the port makes no sense: ${why}`);
      }
      expect(bench.written).toEqual([]);
    },
  );
});

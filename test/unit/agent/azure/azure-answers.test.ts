// Whatever the vault answers an agent: the operator reads why, no device gets a command, and every
// link keeps its verdict.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DesiredLink, linkId } from "#agent/model/desired.ts";
import { surveyKeys } from "#agent/runtime/polling/key-check.ts";
import type { ErrorCode } from "#hal/error.ts";
import { generationTag, pairTag } from "#hal/vault.ts";
import type { WallTime } from "#hal/world.ts";
import { Prng } from "#sim/base/prng.ts";
import type { PutOptions } from "#sim/site/vault.ts";
import { never } from "../../kit/site-bench.ts";
import { AzureAgentBench } from "./azure-agent-bench.ts";
import { vaultRows } from "./azure-answer-rows.ts";

const hour = 3_600_000;
const warningOf: Readonly<Partial<Record<ErrorCode, string>>> = {
  "vault.denied": "vault-denied",
  "vault.unreachable": "vault-unreachable",
  "vault.malformedKey": "key-malformed",
  "vault.unpaired": "key-unpaired",
  "vault.reusedCkn": "key-reused",
};

let bench: AzureAgentBench;
beforeAll(async () => {
  bench = await AzureAgentBench.adopted();
});
afterAll(async () => {
  await bench.end();
});

const verdicts = (): readonly string[] => bench.links().map(({ verdict }) => verdict);
const protectedBoth = ["protected", "protected"];

/** The next observation of the vault, and what it found, is over after this long. */
const lookMs = 8 * 60_000;

interface Seen {
  readonly code: ErrorCode;
  readonly text: string;
  readonly next: string;
}

/** Runs until the warning shows and for a while more; nothing else may have come of it. */
async function suffered({ code, text, next }: Seen): Promise<void> {
  const warning = warningOf[code] ?? "";
  const logged = bench.log.length;
  const began = bench.azure.site.clock.wall();
  expect(await bench.run(lookMs, () => bench.warning(warning) !== undefined)).toBe(true);
  const seen = bench.warning(warning);
  expect([seen?.about, seen?.next]).toEqual(["erd-demo", next]);
  expect(bench.log.slice(logged)[0]).toContain(JSON.stringify(text));
  // The warning has an age, which grows.
  const since = Date.parse(seen?.since ?? "");
  expect(since).toBeGreaterThan(began - 1_000);
  await bench.run(lookMs);
  expect(Date.parse(bench.warning(warning)?.since ?? "")).toBe(since);
}

interface Outcome {
  readonly writes: number;
  readonly verdicts: readonly string[];
  readonly over: boolean;
}

/** No device and no far end is told anything, no verdict moves, and it passes. */
const unmoved: Outcome = { writes: 0, verdicts: protectedBoth, over: true };

async function outcomeOf(strike: () => Promise<void>, heal: () => void): Promise<Outcome> {
  const writes = bench.oracle.agentWrites;
  try {
    await strike();
    expect(verdicts()).toEqual(protectedBoth);
  } finally {
    heal();
  }
  const over = await bench.run(4 * lookMs, () => bench.status().warnings.length === 0);
  return { writes: bench.oracle.agentWrites - writes, verdicts: verdicts(), over };
}

/** Versions that a row puts into the vault are disabled at its end. */
const made: string[] = [];
function put(name: string, value: string, options: PutOptions = {}): string {
  const id = bench.azure.site.vault.put(name, value, options);
  made.push(id);
  return id;
}
function disableMade(): void {
  for (const id of made.splice(0)) bench.azure.site.vault.setEnabled(id, false);
}

function newPairs(): void {
  const { site } = bench.azure;
  for (const { key } of site.links) {
    const { cakSecretId, cknSecretId } = site.vault.generatePair(key, "gcm-aes-xpn-256");
    made.push(cakSecretId, cknSecretId);
  }
}

describe("a vault that answers badly changes nothing", () => {
  it.each(vaultRows)(
    "a vault that answers with $fault changes nothing: $text",
    async ({ fault, ...row }) => {
      const { faults } = bench.azure.cloud;
      const strike = async (): Promise<void> => {
        faults.vault.strike(fault);
        // There is something that the agent would have to do if it could read.
        newPairs();
        await suffered(row);
      };
      const heal = (): void => {
        disableMade();
        faults.vault.heal();
      };
      expect(await outcomeOf(strike, heal)).toEqual(unmoved);
    },
  );
});

let serial = 0;
function freshCkn(): string {
  serial += 1;
  return serial.toString(16).toUpperCase().padStart(64, "C");
}
function freshCak(): string {
  serial += 1;
  return serial.toString(16).toUpperCase().padStart(64, "A");
}

interface Wanted {
  readonly cak?: string;
  readonly ckn?: string;
  /** What the tag says; the CKN if not said, none if null. */
  readonly tag?: string | null;
  readonly generation?: number;
  readonly more?: PutOptions;
}

/** A new pair of the first link that is good but for what is said. */
function pair({ cak = freshCak(), ckn = freshCkn(), tag, generation = 900, more }: Wanted): void {
  const names = bench.link("primary").key;
  put(names.ckn, ckn, { holds: "ckn" });
  const tags = tag === null ? {} : { [pairTag]: tag ?? ckn, [generationTag]: String(generation) };
  put(names.cak, cak, { tags, ...more });
}

const check = "linkseal keys check";
const malformed = "vault.malformedKey";

const values: readonly (readonly [string, () => unknown, ErrorCode, string])[] = [
  [
    "unpaired: no tag names its CKN",
    () => pair({ tag: null }),
    "vault.unpaired",
    "the newest erd-demo-1-cak names no CKN of 32 octets",
  ],
  [
    "unpaired: its tag names a CKN that is nowhere",
    () => pair({ tag: freshCkn() }),
    "vault.unpaired",
    "no enabled erd-demo-1-ckn holds the CKN that its CAK names",
  ],
  [
    "of a generation that went back",
    async () => {
      pair({ generation: 950 });
      // The vault dates by whole seconds.
      await bench.run(2_000);
      pair({ generation: 949 });
    },
    "vault.unpaired",
    "the newest erd-demo-1-cak is of generation 949, and 950 exists",
  ],
  [
    "short",
    () => pair({ cak: freshCak().slice(1) }),
    malformed,
    "the CAK is not full-length hexadecimal (63 characters)",
  ],
  [
    "of half the length",
    () => pair({ cak: freshCak().slice(32) }),
    malformed,
    "erd-demo-1-cak has 16 octets where gcm-aes-xpn-256 takes 32",
  ],
  [
    "with a line feed at its end",
    () => pair({ cak: `${freshCak()}\n` }),
    malformed,
    "the CAK is not full-length hexadecimal (65 characters)",
  ],
  [
    "with a carriage return in place of a digit",
    () => pair({ cak: `${freshCak().slice(1)}\r` }),
    malformed,
    "the CAK is not full-length hexadecimal (64 characters)",
  ],
  [
    "not hexadecimal",
    () => pair({ cak: `${freshCak().slice(1)}G` }),
    malformed,
    "the CAK is not full-length hexadecimal (64 characters)",
  ],
  [
    "a passphrase in letters that look like digits",
    () => pair({ cak: "\uff10".repeat(64) }),
    malformed,
    "the CAK is not full-length hexadecimal (192 characters)",
  ],
  [
    "one CKN with two CAK versions",
    () => {
      const ckn = freshCkn();
      pair({ ckn });
      pair({ ckn });
    },
    "vault.reusedCkn",
    "two versions of erd-demo-1-cak name the same CKN",
  ],
  [
    "equal CAKs of two links",
    () => {
      const cak = freshCak();
      pair({ cak });
      const names = bench.link("secondary").key;
      const ckn = freshCkn();
      put(names.ckn, ckn, { holds: "ckn" });
      put(names.cak, cak, { tags: { [pairTag]: ckn, [generationTag]: "900" } });
    },
    "vault.reusedCkn",
    "two links have the same CKN or the same CAK",
  ],
];

describe("a newest pair that cannot be used changes nothing", () => {
  it.each(values)(
    "a newest pair with %s is refused and changes nothing",
    async (_name, fill, code, text) => {
      const strike = async (): Promise<void> => {
        await fill();
        await suffered({ code, text, next: check });
      };
      expect(await outcomeOf(strike, disableMade)).toEqual(unmoved);
    },
  );

  const wall = (ms: number): WallTime => (bench.azure.site.clock.wall() + ms) as WallTime;
  it.each<readonly [string, () => PutOptions]>([
    ["disabled", () => ({ enabled: false })],
    ["past its dates", () => ({ expires: wall(-hour) })],
    ["past its dates for a clock a minute ahead", () => ({ expires: wall(30_000) })],
    ["before its dates", () => ({ notBefore: wall(24 * hour) })],
  ])(
    "with %s the pair before it is still the newest, and no event is reported",
    async (_name, more) => {
      const strike = async (): Promise<void> => {
        const ckn = freshCkn();
        pair({ ckn, more: { tags: { [pairTag]: ckn, [generationTag]: "900" }, ...more() } });
        const logged = bench.log.length;
        await bench.run(2 * lookMs);
        expect(bench.status().warnings).toEqual([]);
        expect(bench.log.slice(logged)).toEqual([]);
      };
      expect(await outcomeOf(strike, disableMade)).toEqual(unmoved);
    },
  );

  it("a disabled pair that is the only one is reported, and the links run on", async () => {
    const { vault } = bench.azure.site;
    const { cak } = bench.link("primary").key;
    const enabled = vault.versions(cak).filter((version) => version.enabled);
    const enable = (on: boolean): void => {
      for (const version of enabled) vault.setEnabled(version.id, on);
    };
    const strike = async (): Promise<void> => {
      enable(false);
      const text = "no enabled version of erd-demo-1-cak is in its dates";
      await suffered({ code: malformed, text, next: check });
    };
    expect(await outcomeOf(strike, () => enable(true))).toEqual(unmoved);
  });

  it("through all bad answers no promise was broken, and no loop ended", () => {
    expect([bench.broken, bench.oracle.violations]).toEqual([[], []]);
  });
});

describe("a pair in lower case", () => {
  it("a pair in lower case is used, and the operator is warned of it", async () => {
    const own = await AzureAgentBench.adopted();
    const { vault } = own.azure.site;
    const { key, id } = own.link("primary");
    const ckn = freshCkn();
    vault.put(key.ckn, ckn.toLowerCase(), { holds: "ckn" });
    const tags = { [pairTag]: ckn, [generationTag]: "900" };
    const cak = vault.put(key.cak, freshCak().toLowerCase(), { tags });
    const links = own.agent.intent?.desired.groups.flatMap((each) => each.links) ?? [];
    const bound = (link: DesiredLink) => own.agent.memory.bindings[linkId(link)];
    const now = own.azure.site.clock.wall();
    const asked = { vault: own.azure.vault, bound, entropy: new Prng("digests"), now };
    const { checks } = await own.settle(surveyKeys(asked, links, never));
    expect(checks.map(({ finding }) => finding?.text)).toEqual([
      "it is written in lower case, and Azure documents upper-case hexadecimal alone",
      undefined,
    ]);
    const used = (): string | undefined => own.agent.memory.bindings[id]?.key.cakSecretId;
    expect(await own.run(2 * hour, () => used() === cak)).toBe(true);
    await own.end();
    expect([own.broken, own.oracle.violations]).toEqual([[], []]);
  });
});

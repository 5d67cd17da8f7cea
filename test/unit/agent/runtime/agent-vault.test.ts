// Chooses one usable key from the versions in a vault, or gives the reason why there is none.

import { describe, expect, it } from "vitest";
import {
  assertDistinct,
  boundedVault,
  chooseAuth,
  chooseKey,
  keyResolver,
} from "#agent/runtime/polling/vault.ts";
import { LinksealError } from "#hal/error.ts";
import { type CipherSuite, type KeyRef, parseCkn } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import { generationTag, type KeyVault, pairTag } from "#hal/vault.ts";
import type { WallTime } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";
import { type PutOptions, SimVault } from "#sim/site/vault.ts";
import { never, refused, settled, wallStart } from "../../kit/site-bench.ts";
import { link } from "../../kit/snapshot-kit.ts";

const now = wallStart as WallTime;
const day = 86_400_000;
const hourLater = (now + day / 24) as WallTime;
const secretWord = "5ec2e7".repeat(10);
const cakText = `${secretWord}abcd`.toUpperCase();
const cknText = "C0FFEE".padEnd(64, "0");

class Store {
  readonly clock = new SimClock(wallStart);
  readonly vault = new SimVault({ clock: this.clock, prng: new Prng("v"), base: "https://v" });
  readonly keyVault: KeyVault = {
    versions: async (name) => this.vault.versions(name),
    read: async (id) => Secret.take("value", new TextEncoder().encode(this.vault.value(id))),
  };

  ckn(text = cknText, options: PutOptions = {}): string {
    return this.vault.put(link.key.ckn, text, { ...options, holds: "ckn" });
  }

  cak(text = cakText, options: PutOptions = {}): string {
    return this.vault.put(link.key.cak, text, { tags: { [pairTag]: cknText }, ...options });
  }

  choose(suite: CipherSuite = link.settings.suite, bound?: KeyRef): ReturnType<typeof chooseKey> {
    const wanted = { ...link, settings: { ...link.settings, suite } };
    return chooseKey(this.keyVault, wanted, hourLater, never, bound);
  }
}

function store(fill: (store: Store) => void): Store {
  const made = new Store();
  fill(made);
  return made;
}

const tags = (ckn: string, generation?: string): PutOptions => ({
  tags: { [pairTag]: ckn, ...(generation === undefined ? {} : { [generationTag]: generation }) },
});
const otherCkn = "AA".repeat(32);

describe("the newest pair", () => {
  const good: readonly (readonly [string, (store: Store) => unknown])[] = [
    ["of one version each", (s) => [s.ckn(), s.cak()]],
    ["in lower case", (s) => [s.ckn(cknText.toLowerCase()), s.cak(cakText.toLowerCase())]],
    ["with a tag in lower case", (s) => [s.ckn(), s.cak(cakText, tags(cknText.toLowerCase()))]],
    [
      "past a newer one that is disabled",
      (s) => [s.ckn(), s.cak(), s.cak(cakText, { ...tags(otherCkn), enabled: false })],
    ],
    [
      "past a newer one that is not valid yet",
      (s) => [
        s.ckn(),
        s.cak(),
        s.cak(cakText, { ...tags(otherCkn), notBefore: (now + day) as WallTime }),
      ],
    ],
    [
      "past a newer one that has expired",
      (s) => [s.ckn(), s.cak(), s.cak(cakText, { ...tags(otherCkn), expires: now })],
    ],
    ["whose CKN is not the newest CKN", (s) => [s.ckn(), s.ckn(otherCkn), s.cak()]],
    [
      "of the highest generation",
      (s) => [
        s.ckn(otherCkn),
        s.cak(cakText, tags(otherCkn, "1")),
        s.ckn(),
        s.cak(cakText, tags(cknText, "2")),
      ],
    ],
  ];
  it.each(good)("the newest usable pair of a link: %s", async (_name, fill) => {
    const { key } = await store(fill).choose();
    expect(key.ckn).toBe(cknText.toLowerCase());
    expect(key.cakSecretId).toContain(`${link.key.cak}/`);
    expect(key.cknSecretId).toContain(`${link.key.ckn}/`);
  });

  it("the newest pair has its generation and its time of creation", async () => {
    const chosen = await store((s) => [s.ckn(), s.cak(cakText, tags(cknText, "7"))]).choose();
    expect(chosen).toMatchObject({ generation: 7, created: now });
  });

  const bad: readonly {
    readonly name: string;
    readonly fill: (store: Store) => unknown;
    readonly code: string;
    readonly text: string;
  }[] = [
    {
      name: "no version at all",
      fill: () => undefined,
      code: "vault.malformedKey",
      text: "no enabled version",
    },
    {
      name: "only disabled ones",
      fill: (s) => [s.ckn(), s.cak(cakText, { ...tags(cknText), enabled: false })],
      code: "vault.malformedKey",
      text: "no enabled version",
    },
    {
      name: "only expired ones",
      fill: (s) => [s.ckn(), s.cak(cakText, { ...tags(cknText), expires: hourLater })],
      code: "vault.malformedKey",
      text: "in its dates",
    },
    {
      name: "only future ones",
      fill: (s) => [
        s.ckn(),
        s.cak(cakText, { ...tags(cknText), notBefore: (now + day) as WallTime }),
      ],
      code: "vault.malformedKey",
      text: "in its dates",
    },
    {
      name: "no tag",
      fill: (s) => [s.ckn(), s.cak(cakText, { tags: {} })],
      code: "vault.unpaired",
      text: "names no CKN",
    },
    {
      name: "a tag that is no CKN",
      fill: (s) => [s.ckn(), s.cak(cakText, tags("not hex"))],
      code: "vault.unpaired",
      text: "names no CKN",
    },
    {
      name: "a tag of a short CKN",
      fill: (s) => [s.ckn("C0FF"), s.cak(cakText, tags("C0FF"))],
      code: "vault.unpaired",
      text: "of 32 octets",
    },
    {
      name: "an older pair, yet a newest one without a tag",
      fill: (s) => [s.ckn(), s.cak(), s.cak(cakText, { tags: {} })],
      code: "vault.unpaired",
      text: "names no CKN",
    },
    {
      name: "a CKN secret that holds another",
      fill: (s) => [s.ckn(otherCkn), s.cak()],
      code: "vault.unpaired",
      text: "no enabled",
    },
    {
      name: "a CKN that is disabled",
      fill: (s) => [s.ckn(cknText, { enabled: false }), s.cak()],
      code: "vault.unpaired",
      text: "no enabled",
    },
    {
      name: "a CKN that has expired",
      fill: (s) => [s.ckn(cknText, { expires: now }), s.cak()],
      code: "vault.unpaired",
      text: "no enabled",
    },
    { name: "no CKN at all", fill: (s) => [s.cak()], code: "vault.unpaired", text: "no enabled" },
    {
      name: "one CKN with two CAK versions",
      fill: (s) => [s.ckn(), s.cak(), s.cak(`${cakText.slice(2)}00`)],
      code: "vault.reusedCkn",
      text: "same CKN",
    },
    {
      name: "a generation that went back",
      fill: (s) => [
        s.ckn(otherCkn),
        s.cak(cakText, tags(otherCkn, "9")),
        s.ckn(),
        s.cak(cakText, tags(cknText, "8")),
      ],
      code: "vault.unpaired",
      text: "generation 8, and 9",
    },
    {
      name: "a CAK that is too short",
      fill: (s) => [s.ckn(), s.cak(cakText.slice(4))],
      code: "vault.malformedKey",
      text: "60 characters",
    },
    {
      name: "a CAK of odd length",
      fill: (s) => [s.ckn(), s.cak(cakText.slice(1))],
      code: "vault.malformedKey",
      text: "63 characters",
    },
    {
      name: "a CAK that is too long",
      fill: (s) => [s.ckn(), s.cak(`${cakText}00`)],
      code: "vault.malformedKey",
      text: "66 characters",
    },
    {
      name: "a CAK that is not hexadecimal",
      fill: (s) => [s.ckn(), s.cak(`${cakText.slice(1)}G`)],
      code: "vault.malformedKey",
      text: "not full-length hex",
    },
    {
      name: "a CAK with a line feed",
      fill: (s) => [s.ckn(), s.cak(`${cakText}\n`)],
      code: "vault.malformedKey",
      text: "65 characters",
    },
    {
      name: "a CAK of the other length",
      fill: (s) => [s.ckn(), s.cak(cakText.slice(32))],
      code: "vault.malformedKey",
      text: "16 octets where gcm-aes-xpn-256 takes 32",
    },
  ];
  it.each(bad)("the newest pair is refused: $name", async ({ fill, code, text }) => {
    const error = await refused(store(fill).choose());
    expect(error).toMatchObject({ code, effect: "none", next: "linkseal keys check" });
    expect(error.message).toContain(text);
    expectNoSecret(error);
  });

  it("a CAK of 16 octets fits a suite of 128 bits, and not one of 256", async () => {
    const short = store((s) => [s.ckn(), s.cak(cakText.slice(32))]);
    expect((await short.choose("gcm-aes-xpn-128")).key.ckn).toBe(cknText.toLowerCase());
    const long = store((s) => [s.ckn(), s.cak()]);
    const error = await refused(long.choose("gcm-aes-128"));
    expect(error.message).toContain("32 octets where gcm-aes-128 takes 16");
  });

  const dated = (dates: PutOptions) =>
    store((s) => [s.ckn(), s.cak(cakText, { ...tags(cknText), ...dates })]).choose();
  const off = (ms: number): WallTime => (hourLater + ms) as WallTime;
  it.each([
    ["has begun for a clock that is a minute slow", { notBefore: off(-60_000) }],
    ["has not ended for a clock that is a minute fast", { expires: off(60_001) }],
  ])("the newest pair is used if its time %s", async (_name, dates) => {
    await expect(dated(dates)).resolves.toBeDefined();
  });
  it.each([
    ["has not begun for a clock that is a minute slow", { notBefore: off(-59_999) }],
    ["has ended for a clock that is a minute fast", { expires: off(60_000) }],
  ])("the newest pair is not used if its time %s", async (_name, dates) => {
    expect((await refused(dated(dates))).message).toContain("in its dates");
  });

  it("the pair is not searched for beyond eight CKN versions", async () => {
    const many = store((s) => {
      s.ckn();
      for (let n = 0; n < 20; n += 1) s.ckn(n.toString(16).padStart(64, "b"));
      s.cak();
    });
    expect((await refused(many.choose())).code).toBe("vault.unpaired");
    expect(many.vault.reads).toBe(8);
  });
});

describe("the pair that a link uses", () => {
  const adopted = (fill: PutOptions, before: (made: Store) => unknown = () => undefined) => {
    const made = store(before);
    const cknSecretId = made.ckn();
    const cakSecretId = made.cak(cakText, fill);
    const ckn = parseCkn(cknText);
    if (ckn === undefined) throw new Error("a CKN must parse");
    return { made, bound: { ckn, cakSecretId, cknSecretId } };
  };

  it.each([
    ["made by hand, without a tag", { tags: {} }],
    ["with its tag", tags(cknText)],
  ])(
    "the pair in use, %s, needs no other proof, and its value is not read again",
    async (_name, fill) => {
      const { made, bound } = adopted(fill);
      expect((await made.choose(link.settings.suite, bound)).key).toEqual(bound);
      expect(made.vault.reads).toBe(0);
    },
  );

  it("the pair in use proves nothing for a newer one", async () => {
    const { made, bound } = adopted({ tags: {} });
    made.cak(`${cakText.slice(2)}00`, { tags: {} });
    expect((await refused(made.choose(link.settings.suite, bound))).code).toBe("vault.unpaired");
  });

  it.each([
    ["tagged with another CKN", tags(otherCkn), "another CKN"],
    ["of a lower generation than one before it", tags(cknText, "3"), "generation 3, and 9"],
  ])("the pair in use is refused: %s", async (_name, fill, text) => {
    const { made, bound } = adopted(fill, (s) => s.cak(cakText, tags("DD".repeat(32), "9")));
    const error = await refused(made.choose(link.settings.suite, bound));
    expect([error.code, error.message]).toEqual(["vault.unpaired", expect.stringContaining(text)]);
  });
});

function expectNoSecret(error: LinksealError): void {
  const leaked = JSON.stringify([error.message, error.where, error.next, String(error.cause)]);
  expect(leaked.toLowerCase()).not.toContain(secretWord.slice(0, 20));
}

describe("the secrets that a driver gets", () => {
  it("a driver gets the octets of a CAK, whatever its case", async () => {
    const upper = store((s) => [s.ckn(), s.cak()]);
    const { key } = await upper.choose();
    using secret = await keyResolver(upper.keyVault, never)({ kind: "cak", key });
    expect(secret.use((bytes) => Buffer.from(bytes).toString("hex"))).toBe(cakText.toLowerCase());
  });

  it("a driver gets the text of a PSK, the newest first", async () => {
    const s = new Store();
    s.vault.put("hub-1-psk", "older-psk");
    const id = s.vault.put("hub-1-psk", "a_newer_PSK+of.Azure!");
    s.vault.put("hub-1-psk", "off", { enabled: false });
    const auth = { kind: "psk", secret: "hub-1-psk", farEnd: "manual" } as const;
    expect(await chooseAuth(s.keyVault, auth, { now: hourLater }, never)).toEqual({
      kind: "psk",
      secretId: id,
    });
    using psk = await keyResolver(s.keyVault, never)({ kind: "psk", secretId: id });
    expect(psk.use((bytes) => new TextDecoder().decode(bytes))).toBe("a_newer_PSK+of.Azure!");
    expect(
      (
        await refused(
          chooseAuth(s.keyVault, { kind: "psk", secret: "gone", farEnd: "manual" }, { now }, never),
        )
      ).message,
    ).toContain("gone");
  });
});

describe("a postquantum preshared key", () => {
  const auth = (secret: string) => ({
    ...({ kind: "psk", secret: "hub-1-psk", farEnd: "manual" } as const),
    ppk: { secret, id: "hub-1", use: "required" } as const,
  });

  it("a PPK in use stays when the vault has a newer version", async () => {
    const s = new Store();
    s.vault.put("hub-1-psk", "a_newer_PSK+of.Azure!");
    const older = s.vault.put("hub-1-ppk", "a".repeat(64));
    const inUse = await chooseAuth(s.keyVault, auth("hub-1-ppk"), { now: hourLater }, never);
    expect(inUse.ppk).toEqual({ secretId: older, id: "hub-1", use: "required" });
    s.vault.put("hub-1-ppk", "b".repeat(64));
    const kept = await chooseAuth(s.keyVault, auth("hub-1-ppk"), { now: hourLater, inUse }, never);
    expect(kept.ppk?.secretId).toBe(older);
    const named = s.vault.put("hub-2-ppk", "c".repeat(64));
    const other = await chooseAuth(s.keyVault, auth("hub-2-ppk"), { now: hourLater, inUse }, never);
    expect(other.ppk?.secretId).toBe(named);
  });

  it.each([
    ["0f".repeat(32), undefined],
    ["A".repeat(43), undefined],
    ["A".repeat(42), "the PPK has 42 octets, and 43 to 256 are taken"],
    ["A".repeat(257), "the PPK has 257 octets"],
    [`${"A".repeat(43)} `, "something other than letters, digits, +, / and ="],
  ])("a PPK is taken if it is text of 256 bits: %s", async (text, why) => {
    const s = new Store();
    const secretId = s.vault.put("hub-1-ppk", text);
    const read = keyResolver(s.keyVault, never)({ kind: "ppk", secretId });
    if (why === undefined) {
      using ppk = await read;
      expect(ppk.use((bytes) => new TextDecoder().decode(bytes))).toBe(text);
      return;
    }
    const error = await refused(read);
    expect(error).toMatchObject({ code: "vault.malformedKey", effect: "none" });
    expect(error.message).toContain(why);
    expect(error.message).not.toContain(text);
  });
});

describe("two links", () => {
  const keyOf = (s: Store, cak: string, name: string): KeyRef => {
    const ckn = parseCkn(name);
    if (ckn === undefined) throw new Error(name);
    return { ckn, cakSecretId: s.cak(cak), cknSecretId: s.ckn(name) };
  };

  it("two links have keys of their own", async () => {
    const s = new Store();
    const keys = [keyOf(s, cakText, cknText), keyOf(s, "11".repeat(32), otherCkn)];
    await expect(assertDistinct(s.keyVault, keys, never)).resolves.toBeUndefined();
  });

  it.each([
    ["equal CAKs under two names", cakText, otherCkn],
    ["equal CAKs in another case", cakText.toLowerCase(), otherCkn],
    ["one CKN for two CAKs", "11".repeat(32), cknText],
  ])("two links never have %s", async (_name, cak, ckn) => {
    const s = new Store();
    const keys = [keyOf(s, cakText, cknText), keyOf(s, cak, ckn)];
    const error = await refused(assertDistinct(s.keyVault, keys, never));
    expect(error.code).toBe("vault.reusedCkn");
    expect(error.where).toContain(keys[1]?.cakSecretId);
    expectNoSecret(error);
  });
});

describe("a vault in trouble", () => {
  const faults = [
    ["down", "vault.unreachable"],
    ["denied", "vault.denied"],
    ["throttled", "vault.unreachable"],
  ] as const;
  it.each(faults)("a vault that is %s reports so", async (fault, code) => {
    const s = store((filled) => [filled.ckn(), filled.cak()]);
    s.vault.setFault(fault, true);
    expect(await refused(s.choose())).toMatchObject({ code, effect: "none" });
  });

  it("a vault that hangs is unreachable after its deadline, for lists and for values", async () => {
    const clock = new SimClock(wallStart);
    const hang = (): Promise<never> => new Promise(() => undefined);
    const vault = boundedVault({ versions: hang, read: hang }, clock);
    for (const asked of [vault.versions("a", never), vault.read("https://v/secrets/a/1", never)]) {
      const before = clock.now();
      const error = await refused(settled<unknown>(clock, asked));
      expect(error).toMatchObject({ code: "vault.unreachable", effect: "none" });
      expect(clock.now() - before).toBeLessThan(60_000);
    }
  });

  it("a vault that returns the previous value gives no pair", async () => {
    const s = store((filled) => [filled.ckn(otherCkn), filled.ckn(), filled.cak()]);
    s.vault.setFault("servePrevious", true);
    expect((await refused(s.choose())).code).toBe("vault.unpaired");
  });

  it("a vault call that its caller aborts rejects with the caller's reason", async () => {
    const gone = new AbortController();
    const hang = (): Promise<never> => new Promise(() => undefined);
    const vault = boundedVault({ versions: hang, read: hang }, new SimClock(wallStart));
    const asked = vault.versions("a", gone.signal);
    gone.abort(new Error("the client is gone"));
    await expect(asked).rejects.toThrow("the client is gone");
  });
});

describe("the PSK of a tunnel", () => {
  it("a PSK keeps the alphabet and length that Azure accepts, and is in no refusal", async () => {
    const s = new Store();
    const read = async (value: string): Promise<string> => {
      const id = s.vault.put("hub-1-psk", value);
      try {
        using psk = await keyResolver(s.keyVault, never)({ kind: "psk", secretId: id });
        return `${psk.byteLength} octets`;
      } catch (error) {
        if (!(error instanceof LinksealError)) throw error;
        expect(JSON.stringify(error) + error.message).not.toContain(value);
        return `${error.code} ${error.message}`;
      }
    };
    const good = "0123456789abcdefABCDEF!\"#$%&'()*+,./:;<=>?@[]^_`{|}";
    expect(await read(good)).toBe(`${good.length} octets`);
    for (const odd of [" ", "-", "~", "\u007f", "é", "\t"]) {
      expect(await read(`${good}${odd}`)).toMatch(/^vault.malformedKey .*printable ASCII/);
    }
    expect(await read("x".repeat(16))).toBe("16 octets");
    expect(await read("x".repeat(128))).toBe("128 octets");
    expect(await read("x".repeat(15))).toMatch(/15 octets, and 16 to 128/);
    expect(await read("x".repeat(129))).toMatch(/129 octets, and 16 to 128/);
  });
});

// Expiry warnings: what expires, what was not renewed, each reported in time and never
// earlier.

import { describe, expect, it } from "vitest";
import { type DesiredGroup, type DesiredLink, linkId } from "#agent/model/desired.ts";
import { finders } from "#agent/runtime/health/finders.ts";
import { KeyPoller, type UsedUntil } from "#agent/runtime/polling/key-poller.ts";
import { emptyMemory } from "#agent/store/journal/memory.ts";
import { LinksealError } from "#hal/error.ts";
import { known, type MacsecPort, unknown } from "#hal/model.ts";
import type { KeyVault, SecretVersion } from "#hal/vault.ts";
import { type WallTime, type World, wallAfter } from "#hal/world.ts";
import { keyOne } from "../../../kit/campaign-kit.ts";
import { foundBy, siteSubject } from "../../../kit/finder-kit.ts";
import { never } from "../../../kit/site-bench.ts";
import {
  at,
  bindingOf,
  desired,
  desiredOf,
  linkNamed,
  session,
  settings,
  wall,
} from "../../../kit/snapshot-kit.ts";
import { carrying, HealthEvaluatorBench, pollMs } from "../health-evaluator-bench.ts";

const day = 86_400_000;

function keyAgeWarnings(
  group: DesiredGroup,
  link: DesiredLink,
  created: WallTime | undefined,
  now: WallTime,
) {
  const about = linkId(link);
  const binding = bindingOf(created === undefined ? {} : { created });
  const memory = { ...emptyMemory, bindings: { [about]: binding } };
  const { device, port } = link;
  const subject = { about, within: [device], device, port, link, group };
  return foundBy(finders.link, "key-age", { agent: { memory }, wall: now }, subject);
}

function groupOf(maxAgeDays: number): DesiredGroup {
  const [group] = desired.groups;
  if (group === undefined) throw new RangeError("the sample has a group");
  return { ...group, rotate: { ...group.rotate, maxAgeMs: maxAgeDays * day } };
}

/** Returns the codes of the warnings that are open after a minute. */
function codes(scene: ConstructorParameters<typeof HealthEvaluatorBench>[0]): readonly string[] {
  return new HealthEvaluatorBench(scene).turn().polls(12).warnings();
}

describe("the age of a key", () => {
  const aged = (days: number, maxAge: string): readonly string[] => {
    const old = bindingOf({ created: wallAfter(wall, -days * day) });
    return codes({
      desired: desiredOf((text) =>
        text.replace("    drain: prepend", `    drain: prepend\n    rotate: { maxAge: ${maxAge} }`),
      ),
      memory: {
        ...emptyMemory,
        bindings: { "erd-demo/primary": old, "erd-demo/secondary": bindingOf() },
      },
    });
  };

  it("the age of a key is reported from the moment when it is reached, with both times", () => {
    const created = wallAfter(wall, -90 * day);
    const reported = (afterMs: number, days = 90) =>
      keyAgeWarnings(
        groupOf(days),
        linkNamed("primary"),
        created,
        wallAfter(created, days * day + afterMs),
      ).map(({ code, text }) => `${code}: ${text}`);
    const made = "the key was made at 2026-08-26T10:00:00Z and is too old";
    expect(reported(0)).toEqual([`key-age: ${made} since 2026-11-24T10:00:00Z`]);
    expect(reported(-1)).toEqual([`key-age-soon: ${made} from 2026-11-24T10:00:00Z on`]);
    expect(reported(-14 * day)).toEqual(reported(-1));
    expect(reported(-14 * day - 1)).toEqual([]);
    expect(reported(-day, 4)).toEqual([`key-age-soon: ${made} from 2026-08-30T10:00:00Z on`]);
    expect(reported(-day - 1, 4)).toEqual([]);
  });

  it("the age of a key is not reported if it is low enough or unknown", () => {
    const link = linkNamed("primary");
    const old = wallAfter(wall, -900 * day);
    expect(
      keyAgeWarnings(
        { ...groupOf(90), rotate: { ...groupOf(90).rotate, maxAgeMs: undefined } },
        link,
        old,
        wall,
      ),
    ).toEqual([]);
    expect(keyAgeWarnings(groupOf(90), link, undefined, wall)).toEqual([]);
  });

  it.each([
    [75, "90d", []],
    [77, "90d", ["key-age-soon"]],
    [89, "90d", ["key-age-soon"]],
    [91, "90d", ["key-age"]],
    [5, "8d", []],
    [7, "8d", ["key-age-soon"]],
  ] as const)(
    "a key of %i days is reported as a maxAge of %s requires",
    (days, maxAge, expected) => {
      const reported = aged(days, maxAge).filter((line) => line.startsWith("key-age"));
      expect(reported.map((line) => line.split(" ", 2))).toEqual(
        expected.map((code) => [code, "erd-demo/primary:"]),
      );
    },
  );
});

describe("expiring secrets", () => {
  const end = (days: number, over: Partial<UsedUntil> = {}): UsedUntil => ({
    code: "key-expiring",
    about: "hub-1",
    within: ["edge-a"],
    what: "hub-1-psk",
    at: wallAfter(wall, days * day),
    ...over,
  });

  it("an expiring secret is reported from thirty days before its end, and after it", () => {
    expect(codes({ ends: [end(31)] })).toEqual([]);
    expect(codes({ ends: [end(29)] })).toEqual([
      "key-expiring hub-1: hub-1-psk ends at 2026-12-23T10:00:00Z",
    ]);
    expect(codes({ ends: [end(-1)] })).toEqual([
      "key-expiring hub-1: hub-1-psk has ended at 2026-11-23T10:00:00Z",
    ]);
  });

  it("an expired secret is reported from its exact end, and the expiry thirty days before", () => {
    const reported = (days: number) =>
      foundBy(finders.site, "key-expiring", { site: { ends: [end(days)] }, wall }, siteSubject).map(
        ({ text, within }) => [text, within],
      );
    expect(reported(30)).toEqual([]);
    expect(reported(0)).toEqual([["hub-1-psk has ended at 2026-11-24T10:00:00Z", ["edge-a"]]]);
  });

  it("the expiring secret may be the certificate that linkseal signs in with", () => {
    const identity = end(7, { code: "identity-expiring", about: "site", what: "the certificate" });
    expect(codes({ ends: [identity] })).toEqual([
      "identity-expiring site: the certificate ends at 2026-12-01T10:00:00Z",
    ]);
  });
});

describe("an SAK that is not renewed", () => {
  const port =
    (renewedAt: number, keyServer: "self" | "peer") =>
    (link: DesiredLink, poll: number): MacsecPort => {
      const now = at(poll * pollMs);
      const keyId = `${"ab".repeat(12)}/${poll < renewedAt ? 1 : 2}`;
      const latestSak = { an: 0, keyId, receive: true, transmit: true };
      const wanted = { ...settings, ...link.settings, sakRekeyMs: 60_000 };
      return carrying(link, poll, {
        settings: known(wanted, now),
        session: known({ ...session, keyServer, latestSak }, now),
      });
    };
  const reported = (renewedAt: number, keyServer: "self" | "peer"): boolean =>
    new HealthEvaluatorBench({ port: port(renewedAt, keyServer) })
      .turn()
      .polls(30)
      .warnings()
      .some((line) => line.startsWith("rekey-overdue erd-demo/primary"));

  it("a SAK that is not renewed for two intervals is reported of the key server only", () => {
    expect(reported(99, "self")).toBe(true);
    expect(reported(99, "peer")).toBe(false);
  });

  it("the age of a SAK counts through an observation without its reading", () => {
    const blind = (link: DesiredLink, poll: number): MacsecPort =>
      poll === 20
        ? carrying(link, poll, { session: unknown("queryFailed", at(poll * pollMs)) })
        : port(99, "self")(link, poll);
    const bench = new HealthEvaluatorBench({ port: blind }).turn().polls(30);
    expect(bench.warnings().join()).toContain("rekey-overdue erd-demo/primary");
  });

  it("the age of a SAK begins again with each SAK", () => {
    expect(reported(15, "self")).toBe(false);
  });
});

describe("the key poller for a real vault", () => {
  const version = (id: string, over: Partial<SecretVersion> = {}): SecretVersion => ({
    id,
    enabled: true,
    created: wall,
    notBefore: undefined,
    expires: undefined,
    tags: {},
    ...over,
  });
  const ends = (days: number): Pick<SecretVersion, "expires"> => ({
    expires: wallAfter(wall, days * day),
  });

  /** Runs every query once. */
  async function watched(
    versions: Readonly<Record<string, readonly SecretVersion[] | LinksealError>>,
    identityEnd?: WallTime,
  ): Promise<{ readonly watch: KeyPoller; readonly asked: string[]; readonly pauses: number[] }> {
    const asked: string[] = [];
    const vault: KeyVault = {
      async versions(name) {
        asked.push(name);
        const found = versions[name] ?? [];
        if (found instanceof LinksealError) throw found;
        return found;
      },
      read: () => Promise.reject(new Error("no value is ever asked for")),
    };
    const clock = { now: () => at(0), wall: () => wall };
    const log = { write: () => undefined };
    const certificate = {
      kind: "clientCertificate",
      tenant: "t",
      client: "c",
      certificate: "file:/c.pem",
    } as const;
    const azure = { ...desired.azure, cloud: "public", identity: certificate } as never;
    const watch = new KeyPoller({
      world: { clock, log } as unknown as World,
      desired: { ...desired, azure },
      vault,
      memory: () => ({ ...emptyMemory, bindings: { "erd-demo/primary": bindingOf() } }),
      identityEnd: async () => identityEnd,
    });
    const pauses: number[] = [];
    for (let turn = 0; turn < 4; turn += 1) pauses.push(await watch.turn(never));
    return { watch, asked, pauses };
  }

  it("the key poller queries each secret in use in turn, and then once an hour", async () => {
    const { asked, pauses } = await watched({});
    // The secondary link uses no key that linkseal manages, so none of its secrets is in use.
    expect(asked.toSorted()).toEqual(["erd-demo-1-cak", "erd-demo-1-ckn", "hub-1-psk"]);
    expect(pauses).toEqual([1_000, 1_000, 1_000, 900_000]);
  });

  it("the key poller reports the version in use by a link, and the newest usable PSK", async () => {
    const { watch } = await watched({
      "erd-demo-1-cak": [version("newer", ends(5)), version(keyOne.cakSecretId, ends(20))],
      "erd-demo-1-ckn": [version(keyOne.cknSecretId, ends(10))],
      "hub-1-psk": [
        version("old", { created: wallAfter(wall, -day), ...ends(1) }),
        version("new", ends(40)),
        version("off", { created: wallAfter(wall, day), enabled: false, ...ends(2) }),
      ],
    });
    const reported = watch.ends.map(({ about, what, at: last }) => [
      about,
      what,
      (last - wall) / day,
    ]);
    expect(reported).toEqual([
      ["erd-demo/primary", "erd-demo-1-ckn", 10],
      ["hub-1", "hub-1-psk", 40],
    ]);
  });

  it("the key poller keeps its answers when the vault refuses, and checks identity", async () => {
    const details = { effect: "none", where: "vault", next: "linkseal status" } as const;
    const denied = new LinksealError("vault.denied", "no", details);
    const answers: Record<string, readonly SecretVersion[] | LinksealError> = {
      "hub-1-psk": [version("new", ends(3))],
    };
    const { watch } = await watched(answers, wallAfter(wall, 8 * day));
    answers["hub-1-psk"] = denied;
    for (let turn = 0; turn < 8; turn += 1) await watch.turn(never);
    expect(watch.ends.map(({ code, about }) => [code, about])).toEqual([
      ["identity-expiring", "site"],
      ["key-expiring", "hub-1"],
    ]);
  });
});

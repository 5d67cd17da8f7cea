// Which links are enrolled, in what order things are asked, and what keeps an enrolment waiting.

import { describe, expect, it } from "vitest";
import { noMarks } from "#agent/model/campaign.ts";
import { known } from "#hal/model.ts";
import { campaignOf } from "../../../kit/campaign-kit.ts";
import { failing } from "../../../kit/rotation-runner-bench.ts";
import { ckn, refused } from "../../../kit/site-bench.ts";
import { at, settings, wall } from "../../../kit/snapshot-kit.ts";
import { asked, BeginBench, type Name, names } from "./begin-bench.ts";

/** Nothing has a key yet; the vault holds one pair for each link. */
async function bare(met: readonly Name[] = names): Promise<BeginBench> {
  const bench = await BeginBench.begun({}, []);
  for (const name of names) bench.bare(name);
  await bench.observe(met);
  bench.risks.push("breakBeforeMake");
  bench.log.length = 0;
  return bench;
}

const both = "enrol secondary primary";

describe("an enrolment that the intent begins", () => {
  it("an enrolment has every link without a key on either end, in order", async () => {
    const bench = await bare();
    expect(await bench.enrolment()).toBe(both);
    const campaign = await bench.enrolling();
    expect(campaign).toMatchObject({
      ...noMarks,
      ...{ group: "erd-demo", kind: "enrol", state: "queued", since: wall, intent: 2 },
      ...{ reason: { code: "begin.unprotected" }, origin: "policy" },
    });
    const [key] = bench.store.pairs(bench.linkOf("primary").key).slice(-1);
    const [version] = bench.store.versions("erd-demo-1-cak").slice(-1);
    expect(campaign.links[1]).toEqual({
      ...{ name: "primary", device: "edge-a", port: "et-0/0/0", overlap: "breakBeforeMake" },
      ...{ created: version?.created, generation: 1, outcome: undefined, old: undefined },
      new: { key, settings: bench.linkOf("primary").settings },
    });
  });

  it("an enrolment leaves out links with our key, and may ask no vault", async () => {
    const bench = await bare();
    bench.bind("secondary");
    await bench.observe();
    expect(await bench.enrolment()).toBe("enrol primary");
    bench.bind("primary");
    await bench.observe();
    bench.store.setFault("down", true);
    expect(await bench.enrolment()).toBe("nothing");
    bench.risks.length = 0;
    expect(await bench.enrolment()).toBe("nothing");
  });

  it("an enrolment does not begin beside an open campaign", async () => {
    const bench = await bare();
    const campaigns = { "erd-demo": campaignOf("proving", { kind: "enrol" }) };
    bench.memory = { ...bench.memory, campaigns };
    expect(await bench.enrolment()).toBe("nothing");
    expect(await bench.enrolment(asked())).toBe("nothing");
  });

  it("an enrolment that ended without its link does not begin again by itself", async () => {
    const bench = await bare();
    const [entry] = campaignOf("done", { kind: "enrol" }).links;
    if (entry === undefined) throw new Error("a campaign has a link");
    const ended = (state: "done" | "held", intent: number, outcome: "enrolled" | "reverted") => {
      const fine = { ...entry, name: "tertiary", outcome: "enrolled" as const };
      const links = [fine, { ...entry, name: "primary", outcome }];
      const campaign = campaignOf(state, { kind: "enrol", intent, links });
      bench.memory = { ...bench.memory, campaigns: { "erd-demo": campaign } };
    };
    ended("done", 2, "reverted");
    expect(await bench.enrolment()).toBe("enrol secondary");
    expect(await bench.enrolment(asked())).toBe(both);
    ended("done", 1, "reverted");
    expect(await bench.enrolment()).toBe(both);
    ended("done", 2, "enrolled");
    expect(await bench.enrolment()).toBe(both);
  });

  it("an enrolment does not begin on an old state of a silent far end", async () => {
    const bench = await bare();
    bench.failures.observePeer = failing("transport.unreachable");
    await bench.observe();
    expect(await bench.enrolment()).toBe("nothing");
    delete bench.failures.observePeer;
    await bench.observe();
    expect(await bench.enrolment()).toBe(both);
  });

  it("an enrolment reads a far end again that was read two polls ago", async () => {
    const bench = await bare();
    await bench.clock.runFor(9_000);
    expect(await bench.enrolment()).toBe(both);
    expect(bench.log).toEqual([]);
    await bench.clock.runFor(1_000);
    // A person has given it a key meanwhile.
    bench.bind("primary");
    bench.unbind("primary");
    expect(await bench.enrolment()).toBe("enrol secondary");
    expect(bench.log).toEqual(["look far end"]);
  });

  it("an enrolment does not begin where the last bare link has got a key", async () => {
    const bench = await bare();
    bench.bind("secondary");
    await bench.observe();
    await bench.clock.runFor(10_000);
    bench.peers.primary = bench.peers.secondary;
    expect(await bench.enrolment()).toBe("nothing");
  });
});

describe("an enrolment that an operator asks for", () => {
  it("an enrolment by an operator has the links that they name", async () => {
    const bench = await bare();
    expect(await bench.enrolment(asked({ links: ["primary"] }))).toBe("enrol primary");
    expect(await bench.enrolment(asked())).toBe(both);
    expect((await bench.enrolling(asked())).reason.code).toBe("begin.asked");
  });

  it("an enrolment throws the vault's error, and refuses one key for two links", async () => {
    const bench = await bare();
    bench.store.setFault("down", true);
    expect((await refused(bench.enrolment(asked()))).effect).toBe("none");
    bench.store.setFault("down", false);
    const { key: names } = bench.linkOf("secondary");
    const [pair] = bench.store.pairs(bench.linkOf("primary").key).slice(-1);
    if (pair === undefined) throw new Error("there is a pair");
    bench.store.put(names.ckn, bench.store.value(pair.cknSecretId), { holds: "ckn" });
    const tags = bench.store.versions("erd-demo-1-cak").at(-1)?.tags ?? {};
    bench.store.put(names.cak, bench.store.value(pair.cakSecretId), { tags });
    expect((await refused(bench.enrolment(asked()))).code).toMatch(/^vault\.reused/);
  });
});

describe("an enrolment waits", () => {
  it("an enrolment waits for the risk that it takes", async () => {
    const bench = await bare();
    bench.risks.length = 0;
    expect(await bench.enrolment()).toMatch(
      /^gate.riskNotAccepted: .* -> linkseal enrol erd-demo --accept-risk=breakBeforeMake$/,
    );
    expect(await bench.enrolment(asked({ risks: ["breakBeforeMake"] }))).toBe(both);
  });

  it("an enrolment waits beside a link with a key that is not ours", async () => {
    const bench = await bare();
    bench.bind("secondary");
    bench.unbind("secondary");
    await bench.observe();
    expect(await bench.enrolment()).toBe(
      "gate.leftoverKey: erd-demo/secondary has a key that is not of this agent, and is no " +
        "sibling to rely on -> linkseal adopt erd-demo/secondary",
    );
  });

  it("an enrolment waits beside a link that cannot be read", async () => {
    const bench = await bare(["primary"]);
    bench.risks.push("noProbe");
    expect(await bench.enrolment()).toBe(
      "gate.stale: erd-demo/secondary is no sibling to rely on: edge-b cannot be read " +
        "-> linkseal status",
    );
    bench.bind("secondary");
    expect(await bench.enrolment()).toContain("edge-b cannot be read");
  });
});

describe("a link that was keyed by hand", () => {
  it("a link keyed by hand is adopted with its key and its own settings", async () => {
    const bench = await BeginBench.byHand();
    const [found] = await bench.adoption([], ["primary"]);
    const [key] = bench.store.pairs(bench.linkOf("primary").key).slice(-1);
    const [version] = bench.store.versions("erd-demo-1-cak").slice(-1);
    expect(found).toEqual({
      link: "erd-demo/primary",
      binding: {
        ...{ key, settings: bench.linkOf("primary").settings, since: wall, intent: 2 },
        ...{ created: version?.created, generation: 1, how: "adopted" },
      },
    });
    expect((await bench.adoption()).map(({ link }) => link)).toEqual([
      "erd-demo/primary",
      "erd-demo/secondary",
    ]);
  });

  it("a link that is managed already is left out of an adoption, after a read", async () => {
    const bench = await BeginBench.begun();
    bench.store.setFault("down", true);
    expect(await bench.adoption()).toEqual([]);
    expect(bench.log).toEqual(["look edge-a", "look far end", "look edge-b"]);
  });

  type Spoil = (bench: BeginBench) => void;
  const refusals: readonly (readonly [string, Spoil, string])[] = [
    [
      "whose router cannot be read",
      (bench) => {
        bench.failures.observe = failing("transport.unreachable");
      },
      "one of its ends cannot be read",
    ],
    [
      "whose far end cannot be read",
      (bench) => {
        bench.failures.observePeer = failing("transport.unreachable");
      },
      "",
    ],
    ["that has no key at all", (bench) => bench.bare("primary"), "it has no key on either end"],
    [
      "with a key at the far end alone",
      (bench) => {
        const peer = bench.peers.primary;
        bench.bare("primary");
        bench.peers.primary = peer;
      },
      "the router has no key: take MACsec off at the far end too, then enrol it",
    ],
    [
      "set to MACsec, and without a key on the router",
      (bench) => {
        bench.port.primary = { ...bench.port.primary, keys: known([], at(0)) };
      },
      "the router does not hold exactly one key on this port",
    ],
    [
      "with two keys on the router",
      (bench) => {
        const { primary } = bench.port;
        const keys = primary?.keys?.kind === "known" ? primary.keys.value : [];
        const more = { ckn: ckn("a"), role: "primary" as const };
        bench.port.primary = { ...primary, keys: known([...keys, more], at(0)) };
      },
      "the router does not hold exactly one key on this port",
    ],
    [
      "whose far end has none",
      (bench) => {
        bench.peers.primary = { ...bench.peers.primary, pointsAt: undefined };
      },
      "the far end has MACsec off",
    ],
    [
      "whose version is disabled",
      (bench) => {
        const id = bench.peers.primary.pointsAt?.cakSecretId ?? "";
        bench.newKey("primary");
        bench.store.setEnabled(id, false);
      },
      "the far end points at no enabled version of erd-demo-1-cak",
    ],
    [
      "whose far end points at another secret",
      (bench) => {
        bench.peers.primary = bench.peers.secondary;
      },
      "the far end points at no enabled version of erd-demo-1-cak",
    ],
    [
      "with another key on the router than at the far end",
      (bench) => {
        const { cakSecretId, cknSecretId } = bench.newKey("primary");
        const pointsAt = { cakSecretId, cknSecretId };
        bench.peers.primary = { ...bench.peers.primary, pointsAt };
      },
      "the CKN on the router is not the one that the far end points at",
    ],
    [
      "whose router waits for the confirm of a commit",
      (bench) => {
        bench.commitPending = true;
      },
      "a commit waits on the router, or it is not known whether one does",
    ],
    ...(["updating", "unknown"] as const).map((provisioning): readonly [string, Spoil, string] => [
      `whose far end is ${provisioning}`,
      (bench) => {
        bench.peers.primary = { ...bench.peers.primary, provisioning };
      },
      "a change of the far end runs, or is not known to have ended",
    ]),
    [
      "that MKA does not secure just now",
      (bench) => {
        const { session: _session, ...port } = bench.port.primary ?? {};
        bench.port.primary = port;
      },
      "MKA is not secured by this key at the moment",
    ],
  ];
  it.each(refusals)("a link %s is not adopted", async (_name, spoil, why) => {
    const bench = await BeginBench.byHand();
    spoil(bench);
    const error = await refused(bench.adoption([], ["primary"]));
    expect(error).toMatchObject({
      ...{ code: "gate.leftoverKey", effect: "none", where: "erd-demo/primary" },
      next: "linkseal links",
    });
    expect(error.message).toContain(`erd-demo/primary cannot be adopted: ${why}`);
  });

  it("a link with other settings is adopted as found with the risk asFound", async () => {
    const bench = await BeginBench.byHand();
    const seen = { ...settings, includeSci: false, replayWindow: 8 };
    bench.port.primary = { ...bench.port.primary, settings: known(seen, at(0)) };
    const error = await refused(bench.adoption([], ["primary"]));
    expect(error).toMatchObject({
      ...{ code: "gate.riskNotAccepted", effect: "none", where: "erd-demo/primary" },
      next: "linkseal adopt erd-demo/primary --accept-risk=asFound",
    });
    expect(error.message).toMatch(
      /^its settings differ from the config: .*includeSci is .*; .*replayWindow is .* \(risk asF/,
    );
    const [found] = await bench.adoption(["asFound"], ["primary"]);
    const { policy: _policy, ...accepted } = seen;
    expect(found?.binding.settings).toEqual(accepted);
  });

  it("a link without settings on the router is adopted under the config's", async () => {
    const bench = await BeginBench.byHand();
    bench.port.primary = { ...bench.port.primary, settings: known(undefined, at(0)) };
    expect((await refused(bench.adoption([], ["primary"]))).code).toBe("gate.riskNotAccepted");
    const [found] = await bench.adoption(["asFound"], ["primary"]);
    expect(found?.binding.settings).toEqual(bench.linkOf("primary").settings);
  });

  it("a link is not adopted if another link of the group has its CAK", async () => {
    const bench = await BeginBench.byHand();
    const [pair] = bench.store.pairs(bench.linkOf("primary").key).slice(-1);
    if (pair === undefined) throw new Error("there is a pair");
    const cakSecretId = bench.store.put("other-cak", bench.store.value(pair.cakSecretId));
    bench.rebind("secondary", { key: { ...bench.newKey("secondary"), cakSecretId } });
    expect((await refused(bench.adoption([], ["primary"]))).code).toMatch(/^vault\.reused/);
  });

  it("a link is not adopted if another link of the group has its key", async () => {
    const bench = await BeginBench.byHand();
    const [key] = bench.store.pairs(bench.linkOf("primary").key).slice(-1);
    if (key === undefined) throw new Error("there is a pair");
    bench.rebind("secondary", { key });
    expect((await refused(bench.adoption([], ["primary"]))).code).toBe("vault.reusedCkn");
  });
});

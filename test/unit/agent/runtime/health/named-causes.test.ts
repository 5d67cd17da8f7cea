// What an operator reads of a fault at either end, against the truth of the simulated site.

import { describe, expect, it } from "vitest";
import { reasonText } from "#agent/model/reason-text.ts";
import type { Ckn } from "#hal/model.ts";
import { stormFaults, strikeFault } from "#sim/faults/faults.ts";
import { Pair } from "../../../kit/rotate-kit.ts";

const about = "erd-demo/primary";
const short = (ckn: Ckn | undefined): string => `${ckn?.slice(0, 4)}…${ckn?.slice(-2)}`;

function strike(pair: Pair, name: string, link: "primary" | "secondary" = "primary"): () => void {
  const kind = stormFaults.find((fault) => fault.name === name);
  if (kind === undefined) throw new Error(`no fault ${name}`);
  return strikeFault(pair.site, kind, pair.link(link));
}

const reasonsOf = (pair: Pair) => pair.agent.status().groups[0]?.links[0]?.reasons ?? [];
const codesOf = (pair: Pair): readonly string[] => reasonsOf(pair).map(({ code }) => code);
const accepted = (pair: Pair): Ckn | undefined => pair.agent.memory.bindings[about]?.key.ckn;

async function reason(pair: Pair, code: string): Promise<string> {
  await pair.run(300_000, () => codesOf(pair).includes(code));
  return reasonsOf(pair).find((one) => one.code === code)?.text ?? codesOf(pair).join(" ");
}

describe("a key that is gone from the router", () => {
  it("a lost key is told as that, with the far end as it should be and the way back", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const key = short(accepted(pair));
    strike(pair, "key-gone");
    expect(await reason(pair, "key-gone")).toBe(
      `edge-a et-0/0/0 holds no key: it lacks ${key}, to which the far end (link1 of erd-demo) ` +
        "is set as it should be; its BGP is still up, so traffic still goes into it and is lost",
    );
    expect(codesOf(pair)).not.toContain("ckn-mismatch");
    const answer = await pair.ask(`GET /v1/steps?code=key-gone&about=${about}`, "", "view");
    expect(JSON.stringify(answer)).toContain("Run `linkseal ends erd-demo/primary`");
  });

  it("enrol and adopt of a link that lost MACsec lead to its key, not in a circle", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const link = pair.link("primary");
    link.router.manualEdit((config) => {
      const port = config.ports.get(link.port);
      if (port !== undefined) Object.assign(port, { keys: [], macsec: undefined });
    });
    await reason(pair, "key-gone");
    const next = `linkseal explain key-gone ${about}`;
    for (const verb of ["enrol", "adopt"]) {
      const answer = await pair.ask(`POST /v1/${verb}`, { target: "erd-demo", risks: [] });
      expect(JSON.stringify(answer)).toContain("gate.leftoverKey");
      expect(JSON.stringify(answer)).toContain(next);
    }
  });

  it("in a campaign that moves the far end first, no foreign key is accused", async () => {
    const pair = await Pair.adopted({ overlap: "none" });
    pair.newKeys();
    await pair.rotate("planned", ["breakBeforeMake"]);
    await pair.reach("primary switching");
    const link = pair.link("primary");
    const wanted = pair.campaign().links[0]?.new.key.cakSecretId;
    const isMoved = (): boolean => {
      const { pointsAt, provisioning } = link.msee.observe(link.azureLink);
      return provisioning === "settled" && pointsAt?.cakSecretId === wanted;
    };
    expect(await pair.run(600_000, isMoved)).toBe(true);
    link.router.manualEdit((config) => {
      const port = config.ports.get(link.port);
      if (port !== undefined) Object.assign(port, { keys: [] });
    });
    await pair.reach("primary held");
    const text = reasonText(pair.campaign().reason);
    expect(text).toMatch(/its key is gone, or something else is there$/);
    expect(text).not.toContain("foreign");
  });
});

describe("a CAK that differs under one CKN", () => {
  it("the CKN that the far end is set to is named, and never the healthy old one", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const old = short(accepted(pair));
    pair.newKeys();
    await pair.rotate();
    await pair.reach("primary draining");
    // The router is given the octets of before under the new CKN; the far end reads the right ones.
    const heal = strike(pair, "vault-previous");
    await pair.reach("primary staged");
    heal();
    await pair.reach("primary proving");
    const next = short(pair.campaign().links[0]?.new.key.ckn);
    expect(await reason(pair, "cak-mismatch")).toContain(`use the CKN ${next} with different CAKs`);
    expect(
      reasonsOf(pair)
        .map(({ text }) => text)
        .join(),
    ).not.toContain(old);
  });
});

describe("MACsec off at the far end", () => {
  it("a campaign is held because MACsec is off there, and not for another key", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    pair.newKeys();
    await pair.rotate();
    await pair.reach("primary proving");
    strike(pair, "far-off");
    await pair.reach("primary held");
    expect(reasonText(pair.campaign().reason)).toContain("the far end has MACsec off");
  });
});

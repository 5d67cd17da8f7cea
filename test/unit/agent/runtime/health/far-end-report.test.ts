// Warnings about the far end of a link: another writer's change during ours.

import { describe, expect, it } from "vitest";
import type { PeerDetails } from "#hal/device.ts";
import { keyOne } from "../../../kit/campaign-kit.ts";
import { peerOn } from "../../../kit/snapshot-kit.ts";
import { HealthEvaluatorBench } from "../health-evaluator-bench.ts";

describe("a change of the far end by another writer", () => {
  it.each([
    ["ours", "it is as before again: our write took that change back"],
    ["theirs", "it is so now"],
    ["another", "now it has MACsec off, gcm-aes-xpn-256, SCI on, admin up"],
  ] as const)("a change of another writer during ours is a warning at once: %s", (now, end) => {
    const setting = (digit: string) => ({
      pointsAt: {
        cakSecretId: `https://kv.vault.azure.net/secrets/erd-1-cak/${digit.repeat(32)}`,
        cknSecretId: `https://kv.vault.azure.net/secrets/erd-1-ckn/${digit.repeat(32)}`,
      },
      ...({ suite: "gcm-aes-xpn-256", sci: "on", admin: "up" } as const),
    });
    const [ours, theirs] = [setting("1"), setting("2")];
    const details: PeerDetails = {
      ...{ identity: "present", bandwidthGbps: undefined, cipher: undefined, failure: undefined },
      ...{ provisioning: { port: undefined, link: undefined }, circuits: [] },
      lostUpdate: { ours, theirs },
    };
    const states = { ours, theirs, another: { ...ours, pointsAt: undefined } };
    const peer = { ...peerOn(keyOne, { details }), ...states[now] };
    const { warnings } = new HealthEvaluatorBench({ peer }).polls(1).status();
    const name = (what: string, digit: string): string => `erd-1-${what}/${digit.repeat(32)}`;
    expect(warnings.find(({ code }) => code === "far-end-lost-update")).toMatchObject({
      ...{ severity: "warning", about: "erd-demo/primary" },
      next: "linkseal links erd-demo/primary",
      text:
        "while its sibling was written, another writer changed it from " +
        `CAK ${name("cak", "1")} and CKN ${name("ckn", "1")}, gcm-aes-xpn-256, SCI on, admin up ` +
        `to CAK ${name("cak", "2")} and CKN ${name("ckn", "2")}, gcm-aes-xpn-256, SCI on, ` +
        `admin up; ${end}`,
    });
  });
});

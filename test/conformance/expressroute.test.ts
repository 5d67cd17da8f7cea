// The far end of a real cloud: the same cases, over the management API.

import { afterAll, describe, expect, it } from "vitest";
import type { PeerBench, PeerTrouble } from "#sim/conformance/bench.ts";
import { peerCases, runPeerCase, type Verdict } from "#sim/conformance/suite.ts";
import { type ArmBench, type ArmSetting, armBench, text } from "../unit/kit/arm-bench.ts";
import { drive } from "./rig.ts";
import { failures, formatRows, type Row } from "./table.ts";

type Link = "link1" | "link2";

function benchOf(arm: ArmBench): PeerBench {
  const { site } = arm;
  const output: string[] = [];
  const programmed = { link1: 0, link2: 0 };
  for (const link of site.links) {
    const put = link.farPort.putKey.bind(link.farPort);
    link.farPort.putKey = (key) => {
      programmed[link.azureLink] += 1;
      put(key);
    };
  }
  arm.alter = (reply) => {
    output.push(text(reply.body));
    return reply;
  };
  const msee = [...site.msees.values()][0];
  if (msee === undefined) throw new RangeError("no far end");
  const peer = (link: Link) => {
    const inner = arm.peer(link);
    return {
      observe: (signal: AbortSignal) => inner.observe(signal),
      put: (...[want, accepted, signal]: Parameters<typeof inner.put>) => {
        const journalled = async (operation: string): Promise<void> => {
          await accepted(operation);
          arm.journal.set(link, operation);
        };
        return inner.put(want, journalled, signal);
      },
    };
  };
  return {
    peer: peer("link1"),
    neighbour: peer("link2"),
    troubles: new Set<PeerTrouble>(["fails", "throttled", "unreadable"]),
    strike: (trouble) => msee.setFault(trouble, true),
    heal: (trouble) => msee.setFault(trouble, false),
    newWant: () => arm.newWant("link1"),
    canaries: () => site.vault.secretsForOracle().map(({ bytes }) => bytes),
    say: (line) => {
      output.push(line);
    },
    transcript: () => output,
    wait: (ms) => site.clock.sleep(ms),
    exchanges: () => arm.sent.length,
    truth: () => ({
      hardware: msee.hardwareKey("link1"),
      programmed: programmed.link1,
      neighbourProgrammed: programmed.link2,
    }),
  };
}

describe("the far end of a real cloud, on virtual time", () => {
  const rows: Row[] = [];
  afterAll(() => {
    console.log(formatRows("expressroute, virtual time", rows));
  });

  it.each<[string, ArmSetting]>([
    ["port", {}],
    ["LAG", { kind: "expressRouteLags" }],
  ])("a real cloud's far end passes every case: %s", async (name, setting) => {
    const verdicts = new Map<string, Verdict>();
    for (const one of peerCases) {
      const arm = armBench(setting);
      verdicts.set(one.name, await drive(arm.site.clock, runPeerCase(one, benchOf(arm))));
    }
    const row = { profile: name, verdicts };
    rows.push(row);
    expect(failures(row).join("\n")).toBe("");
  });
});

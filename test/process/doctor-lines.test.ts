// `linkseal doctor` beside an agent whose routers are of two vendors, over real SSH and NETCONF: it
// finds no line of another writer, and names one that an operator enters.

import { expect, it } from "vitest";
import type { Finding } from "#agent/model/finding.ts";
import type { DoctorReport } from "#agent/operate/doctor/report.ts";
import { adopted, seed, speed } from "./loopback-kit.ts";
import { Stage } from "./stage.ts";

const codes = ["foreign-line", "missing-line", "lines-unknown"];

/** What the command says about lines, and its exit status. */
async function examined(stage: Stage) {
  const program = stage.start("doctor", "--json");
  await program.ended;
  const { findings } = JSON.parse(program.output) as DoctorReport;
  const isOfLines = ({ code }: Finding): boolean => codes.includes(code);
  return { findings: findings.filter(isOfLines), exit: program.child.exitCode };
}

it("doctor finds only the line that an operator entered", async () => {
  const site = { seed, start: "protected", speed, fate: undefined } as const;
  const setting = { ...site, platforms: ["junos", "iosxr"] };
  await using stage = await Stage.open(setting, "loopback-site.ts");
  await adopted(stage);
  expect((await examined(stage)).findings).toEqual([]);
  stage.send({ kind: "strike", fault: "port-shut", link: "erd-demo/primary" });
  stage.send({ kind: "strike", fault: "port-shut", link: "erd-demo/secondary" });
  const { findings, exit } = await examined(stage);
  expect(exit).toBe(4);
  expect(findings.map(({ code, about, here }) => [code, about, here])).toEqual([
    [
      "foreign-line",
      "erd-demo/primary",
      "edge-a et-0/0/0 has: interfaces interface et-0/0/0 disable",
    ],
    [
      "foreign-line",
      "erd-demo/secondary",
      "edge-b HundredGigE0/0/0/0 has: interface HundredGigE0/0/0/0 > shutdown",
    ],
  ]);
});

// What stands beside the plan of a dry run: everything that is in the way, each with its next step.

import { describe, expect, it } from "vitest";
import type { Plan } from "#agent/compare/plan.ts";
import type { Desired } from "#agent/model/desired.ts";
import { known } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { campaignOf } from "../../../kit/campaign-kit.ts";
import { type BenchOptions, shutsFirst } from "../../../kit/rotation-runner-bench.ts";
import { capabilities as simulated } from "../../../kit/site-bench.ts";
import { at, session, wall } from "../../../kit/snapshot-kit.ts";
import { asked, BeginBench, groupWith, names, rotateOn } from "./begin-bench.ts";

const day = 86_400_000;
const notesOf = ({ notes }: Plan): readonly string[] =>
  notes.map(({ code, about, text, next }) => `${code ?? "-"} ${about}: ${text} -> ${next}`);

/** Both links carry under their keys, and the vault has newer ones. */
async function ready(options: BenchOptions = {}, met = names): Promise<BeginBench> {
  const edit = options.edit ?? rotateOn({});
  const bench = await BeginBench.begun({ ...options, edit }, []);
  for (const name of names) {
    const ckn = bench.memory.bindings[`erd-demo/${name}`]?.key.ckn;
    const secured = known({ ...session, principalCkn: ckn }, at(0));
    bench.port[name] = { ...bench.port[name], session: secured };
  }
  await bench.observe(met);
  for (const name of names) bench.newKey(name);
  return bench;
}

const stepsOf = ({ steps }: Plan): readonly string[] =>
  steps.map(({ n, link, state }) => `${n} ${link} ${state}`);

describe("a dry run with nothing in the way", () => {
  it("a dry run with nothing in the way has no note, and numbers its steps from 1", async () => {
    const bench = await ready();
    const plan = await bench.preview();
    expect(notesOf(plan)).toEqual([]);
    expect([plan.schema, plan.wouldChange]).toEqual(["linkseal.plan/1", true]);
    const whole = "draining staging switching proving promoting proving retiring restoring";
    const order = ["secondary", "primary"].flatMap((name) =>
      whole.split(" ").map((state) => `erd-demo/${name} ${state}`),
    );
    expect(stepsOf(plan)).toEqual(order.map((step, index) => `${index + 1} ${step}`));
    expect(plan.steps[0]?.takes?.likely).toBe(36_000);
    expect(plan.steps.map(({ risk }) => risk)).toEqual(plan.steps.map(() => null));
  });

  it("a dry run of an emergency has no soak", async () => {
    const bench = await ready({ edit: groupWith({ retire: "afterSoak" }) });
    const count = async (urgency: "planned" | "emergency"): Promise<number> =>
      (await bench.preview(asked({ urgency, links: ["primary"] }))).steps.length;
    expect([await count("planned"), await count("emergency")]).toEqual([11, 9]);
  });
});

describe("a link that is not rotated", () => {
  it("a dry run notes a link that runs on the newest key, and reads no further", async () => {
    const bench = await BeginBench.begun();
    bench.commitPending = true;
    bench.log.length = 0;
    const plan = await bench.preview();
    const text = "it runs on the newest key pair of the vault already -> linkseal keys list";
    expect(notesOf(plan)).toEqual([`- erd-demo/secondary: ${text}`, `- erd-demo/primary: ${text}`]);
    expect([plan.wouldChange, plan.steps, bench.log]).toEqual([false, [], []]);
  });

  it("a dry run notes a link without a key of ours, if it was asked for", async () => {
    const bench = await ready();
    bench.unbind("secondary");
    const note =
      "- erd-demo/secondary: it runs on no key of this agent, so there is none to rotate -> " +
      "linkseal adopt erd-demo/secondary, or linkseal enrol erd-demo/secondary";
    expect(notesOf(await bench.preview())[0]).toBe(note);
    expect(notesOf(await bench.preview(asked({ links: ["secondary"] })))).toEqual([note]);
    expect(notesOf(await bench.preview(asked({ links: ["primary"] })))).not.toContain(note);
  });

  it("a dry run notes a link whose router was never reached", async () => {
    const bench = await ready({}, ["primary"]);
    const plan = await bench.preview(asked({ links: ["secondary"] }));
    expect(notesOf(plan)).toEqual([
      "gate.stale erd-demo/secondary: edge-b has no session now, so it is not known how it " +
        "holds keys -> linkseal status",
    ]);
    expect(plan.wouldChange).toBe(false);
  });
});

describe("a port that is shut while its key changes", () => {
  it("a dry run notes a port that is shut for keys, with the vendor's bug", async () => {
    const shutForKey = { suites: ["gcm-aes-xpn-256"], bug: "Cisco bug CSCvt33018" } as const;
    const macsec = { ...simulated.macsec, shutForKey } as never;
    const edit = (wanted: Desired): Desired => ({
      ...shutsFirst(wanted),
      devices: shutsFirst(wanted).devices.map((each) =>
        each.name === "edge-a" ? each : { ...each, quirks: [] },
      ),
    });
    const bench = await ready({ edit, capabilities: { macsec } });
    const plan = await bench.preview();
    expect(notesOf(plan)).toEqual([
      "- edge-a: its port is shut while its key changes (quirk shutBeforeKeyChange: " +
        "Cisco bug CSCvt33018) -> read the section of the bug in docs/iosxe.md",
    ]);
    const dark = plan.steps.filter((step) => step.where === "edge-a" && step.dark !== null);
    expect(dark.map(({ state }) => state)).toEqual(["staging", "promoting", "retiring"]);
    expect(notesOf(await bench.preview(asked({ links: ["secondary"] })))).toEqual([]);
    // A config that says so by itself has its own reasons.
    const own = await ready({ edit });
    expect(notesOf(await own.preview())).toEqual([]);
  });
});

describe("what is in the way", () => {
  it("a dry run notes a drain by hand, a campaign, or both", async () => {
    const bench = await ready();
    const drained =
      "gate.busy erd-demo/secondary: it was drained by hand -> linkseal undrain erd-demo/secondary";
    const drains = { "erd-demo/secondary": { by: "nora", since: wall } };
    bench.memory = { ...bench.memory, drains };
    expect(notesOf(await bench.preview())).toEqual([drained]);
    const campaign = campaignOf("proving", { kind: "change" });
    bench.memory = { ...bench.memory, campaigns: { "erd-demo": campaign } };
    expect(notesOf(await bench.preview())).toEqual([
      "gate.busy erd-demo: a campaign (change) runs on this group: proving -> " +
        "linkseal rotation show erd-demo",
      drained,
    ]);
  });

  it("a dry run notes a closed window, unless in an emergency or with the risk", async () => {
    const freeze = { text: "x", from: (wall - day) as WallTime, until: (wall + day) as WallTime };
    const bench = await ready({ edit: groupWith({ freezes: [freeze] }) });
    const [note, ...more] = notesOf(await bench.preview());
    expect(note).toMatch(
      /^gate.window erd-demo: frozen until 2026-11-25.* -> linkseal rotate erd-demo --now$/,
    );
    expect(more).toEqual([]);
    expect(notesOf(await bench.preview(asked({ urgency: "emergency" })))).toEqual([]);
    expect(notesOf(await bench.preview(asked({ risks: ["outsideWindow"] })))).toEqual([]);
    expect(notesOf(await bench.preview(asked({ risks: ["noDrain"] })))).toHaveLength(1);
    bench.risks.push("outsideWindow");
    expect(notesOf(await bench.preview())).toEqual([]);
  });

  it("a dry run notes the risks of the links that are asked for, with one command", async () => {
    const capabilities = { probe: undefined } as never;
    const bench = await ready({ edit: groupWith({ drain: "none" }), capabilities });
    const next = "linkseal rotate erd-demo --accept-risk=noDrain,noProbe";
    const risks = notesOf(await bench.preview(asked({ links: ["primary"] }))).slice(0, 2);
    expect(risks).toEqual([
      `gate.riskNotAccepted erd-demo: the risk noDrain is not accepted -> ${next}`,
      `gate.riskNotAccepted erd-demo: the risk noProbe is not accepted -> ${next}`,
    ]);
    const one = (device: string) => (device === "edge-b" ? capabilities : {});
    const other = await ready({ edit: groupWith({ drain: "none" }), capabilitiesOf: one });
    const of = async (name: "primary" | "secondary") =>
      notesOf(await other.preview(asked({ links: [name] }))).join();
    expect(await of("secondary")).toContain("the risk noProbe");
    expect(await of("primary")).not.toContain("the risk noProbe");
    expect(notesOf(await other.preview()).join()).toContain("the risk noProbe");
    const wish = asked({ risks: ["noDrain", "noProbe"] });
    expect(notesOf(await bench.preview(wish)).join()).not.toContain("riskNotAccepted");
  });

  it("a dry run notes a proof that would be late without probes, link by link", async () => {
    const capabilities = { probe: undefined } as never;
    const bench = await ready({ capabilities });
    const notes = notesOf(await bench.preview(asked({ risks: ["noProbe"] })));
    expect(notes.length).toBeGreaterThan(1);
    for (const note of notes) {
      expect(note).toMatch(
        /^- erd-demo\/\w+: proof-too-slow: .* -> set rotation\.\w+ to \S+ in the config, then link/,
      );
      expect(note).toMatch(/then linkseal apply$/);
    }
    expect(notes.some((note) => note.includes("erd-demo/primary"))).toBe(true);
    expect(notes.some((note) => note.includes("erd-demo/secondary"))).toBe(true);
  });

  it("a precondition of one link has its own code, and is stale where it has none", async () => {
    const bench = await ready();
    bench.commitPending = true;
    expect(notesOf(await bench.preview(asked({ links: ["primary"] })))).toEqual([
      "gate.stale erd-demo/primary: a commit is pending on the router -> " +
        "linkseal links erd-demo/primary",
    ]);
    bench.commitPending = false;
    bench.port.secondary = { ...bench.port.secondary, linkUp: known(false, at(0)) };
    const [note] = notesOf(await bench.preview(asked({ links: ["primary"] })));
    expect(note).toMatch(
      /^gate.siblingUnhealthy erd-demo\/primary: secondary is not carrying: .* -> linkseal links /,
    );
  });

  it("a dry run notes a management path over the link, or unknown without the risk", async () => {
    const bench = await ready();
    bench.ownRoute = "et-0/0/0";
    const only = asked({ links: ["primary"] });
    expect(notesOf(await bench.preview(only))).toEqual([
      "gate.ownPath erd-demo/primary: the agent reaches the router, the vault or Azure over this " +
        "very link -> linkseal links erd-demo/primary",
    ]);
    bench.ownRoute = undefined;
    expect(notesOf(await bench.preview(only))[0]).toContain("(risk ownPathUnknown)");
    expect(notesOf(await bench.preview({ ...only, risks: ["ownPathUnknown"] }))).toEqual([]);
    bench.risks.push("ownPathUnknown");
    expect(notesOf(await bench.preview(only))).toEqual([]);
  });

  it("a dry run notes settings that are not as they were accepted", async () => {
    const bench = await ready();
    const settings = { ...bench.linkOf("primary").settings, includeSci: false };
    bench.rebind("primary", { settings });
    expect(notesOf(await bench.preview(asked({ links: ["primary"] })))[0]).toContain(
      "includeSci of the port is true where false was accepted: correct that first",
    );
  });
});

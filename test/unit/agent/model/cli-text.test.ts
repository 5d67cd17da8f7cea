import { describe, expect, it } from "vitest";
import { agree } from "#agent/cli/agreement.ts";
import { statusFindings } from "#agent/cli/doctor.ts";
import { errorText } from "#agent/cli/failure.ts";
import type { Paint } from "#agent/cli/paint.ts";
import { planText } from "#agent/cli/plan-text.ts";
import { rehearsalText } from "#agent/cli/rotation-text.ts";
import {
  azureLines,
  bgpText,
  campaignLines,
  shareText,
  statusText,
  verdictLine,
} from "#agent/cli/status-text.ts";
import { table } from "#agent/cli/table.ts";
import type { Plan } from "#agent/compare/plan.ts";
import type { SitePlan } from "#agent/compare/site-plan.ts";
import { shortCkn } from "#agent/model/ckn-text.ts";
import { reasonText } from "#agent/model/reason-text.ts";
import { columns, jsonText, readable, spanText, visible, visibleLines } from "#agent/model/text.ts";
import type { CampaignShape } from "#agent/rotation/campaign-shape.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { LinksealError } from "#hal/error.ts";

const plain: Paint = {
  strong: (text) => text,
  faint: (text) => text,
  bad: (text) => text,
  verdict: (verdict) => verdict,
};

const free = { code: "queued.free" } as const;
const toGated = { state: "gated", because: reasonText(free), reason: free } as const;

describe("text from elsewhere", () => {
  it.each([
    ["plain", "plain"],
    ["a\u001b[31mb", "a\\u001b[31mb"],
    ["a\nb\tc\r", "a\\u000ab\\u0009c\\u000d"],
    ["\u009b2J\u007f", "\\u009b2J\\u007f"],
    ["a\u202eb\u2066c\u200fd\ufeff", "a\\u202eb\\u2066c\\u200fd\\ufeff"],
    ["a\u2028b", "a\\u2028b"],
    ["Zürich – 東京 🔒", "Zürich – 東京 🔒"],
  ])("text from elsewhere: %j is shown as %j", (text, shown) => {
    expect(visible(text)).toBe(shown);
    expect(readable({ a: [{ b: text, n: 1, no: null }] })).toEqual({
      a: [{ b: shown, n: 1, no: null }],
    });
    expect(JSON.parse(jsonText({ text }))).toEqual({ text });
    expect(visible(jsonText({ text }))).toBe(jsonText({ text }));
  });

  it("a text of several lines keeps its line feeds and tabs", () => {
    expect(visibleLines("a:\n\tb\u001b\r\n")).toBe("a:\n\tb\\u001b\\u000d\n");
  });

  it("text from elsewhere never begins a line of an error", () => {
    const details = { effect: "unknown", where: "edge-a\nx", next: "linkseal status" } as const;
    expect(errorText(new LinksealError("device.rejected", "no\nedge-a is fine", details))).toBe(
      [
        "linkseal: no (device.rejected)",
        "    edge-a is fine",
        "  effect: it is not known what was changed: check first",
        "  where: edge-a\\u000ax",
        "  next: linkseal status",
      ].join("\n"),
    );
  });
});

describe("texts for operators", () => {
  it.each([
    [-5, "0.0 s"],
    [850, "0.8 s"],
    [41_000, "41 s"],
    [150_000, "3 min"],
    [7_200_000, "2 h"],
    [259_200_000, "3 d"],
  ])("a span of %i ms is shown as %s", (ms, text) => {
    expect(spanText(ms)).toBe(text);
  });

  it.each([
    ["0123456789abcdef", "0123456789abcdef"],
    ["0123456789abcdef01", "01234567…ef01"],
  ])("the CKN %s is shown as %s", (ckn, text) => {
    expect(shortCkn(ckn)).toBe(text);
  });

  it("columns are aligned, whatever the colour of their cells", () => {
    expect(
      columns([
        ["a", "bb", "c"],
        ["\u001b[31maaa\u001b[39m", "b", ""],
      ]),
    ).toEqual(["a    bb  c", "\u001b[31maaa\u001b[39m  b"]);
  });

  it("a table has lines on a terminal, and columns in a pipe", async () => {
    const rows = [["primary", "protected"]];
    expect(await table(["link", "verdict"], rows, "pipe")).toBe(
      "link     verdict\nprimary  protected",
    );
    const drawn = await table(["link", "verdict"], rows, "terminal");
    expect(drawn).toContain("│ primary │ protected │");
    expect(await table(["link"], [], "terminal")).toBe("nothing");
  });
});

const at = "2026-11-24T10:00:00Z";

const noneInside = {
  ...{ because: null, azure: null, bgp: null, share: null, backup: null, ppk: null },
  sas: { pairs: null, nat: null },
};
const status: Status = {
  schema: "linkseal.status/1",
  site: "demo",
  at,
  verdict: "degraded",
  reasons: [],
  groups: [
    {
      name: "erd-demo",
      verdict: "degraded",
      rotation: {
        schema: "linkseal.campaign/1",
        group: "erd-demo",
        kind: "enrol",
        link: "secondary",
        state: "held",
        since: "2026-11-24T09:59:18Z",
        because: "no proof in time",
        by: "policy",
        heldFrom: "proving",
        links: [
          { name: "primary", outcome: "enrolled" },
          { name: "secondary", outcome: null },
        ],
      } as unknown as CampaignShape,
      links: [
        {
          name: "primary",
          device: "edge-a",
          port: "et-0/0/0",
          verdict: "degraded",
          reasons: [{ code: "mtu", text: "frames are too long", next: "linkseal links" }],
          ages: { controlPlaneMs: 800, dataPlaneMs: 800, farEndMs: null },
          suite: "gcm-aes-xpn-256",
          ckn: "00112233445566778899",
          keyVersion: "v1",
          keyAgeDays: 12,
          keyInUse: "00112233445566778899",
          keyNext: null,
          confidentiality: { offset: 30, received: "notVisible", sent: "encrypted" },
          mka: null,
          laterSaks: { seen: 1, needed: 4 },
          frames: null,
          azure: null,
        },
      ],
    },
  ],
  tunnels: [{ name: "hub-1", verdict: "protected", reasons: [], ...noneInside }],
  warnings: [
    {
      code: "key-age",
      severity: "warning",
      about: "erd-demo/primary",
      since: "2026-11-24T09:00:00Z",
      absentSince: null,
      text: "the key is old",
      next: "linkseal keys list",
    },
  ],
  unmanaged: [
    { kind: "link", name: "x/y", where: "edge-a", text: "still there", next: "linkseal status" },
  ],
};

describe("a status", () => {
  it("a status shows verdicts, reasons, campaigns and the next commands", () => {
    expect(statusText(status, plain).split("\n")).toEqual([
      "demo: degraded  2026-11-24T10:00:00Z",
      "",
      "erd-demo  degraded",
      "  enrol erd-demo/secondary: stopped for 42 s, needs an operator: no proof in time",
      "    so far: primary enrolled",
      "    next: linkseal rotation resume erd-demo",
      "  primary  degraded  edge-a et-0/0/0  gcm-aes-xpn-256  key 00112233…8899 (12 d)" +
        "  router 0.8 s ago, far end never read",
      "    the first 30 octets of each frame are not encrypted (its offset)",
      "    confidentiality of the receive direction is not visible on this platform",
      "    later SAKs since its rotation: 1 of 4",
      "    frames are too long (mtu)",
      "    next: linkseal links",
      "",
      "tunnels",
      "  hub-1  protected",
      "",
      "warnings",
      "  warning: erd-demo/primary: the key is old (key-age, for 60 min)",
      "    next: linkseal keys list",
      "",
      "unmanaged",
      "  link x/y: still there",
      "    next: linkseal status",
    ]);
  });

  // Doctor said of a link that was protected again that its router had no MACsec.
  it("a warning whose cause has ended is shown as such, and doctor leaves it out", () => {
    const [open] = status.warnings;
    if (open === undefined) throw new Error("no warning");
    const gone = { ...open, code: "drift", absentSince: "2026-11-24T09:59:48Z" } as const;
    const both = { ...status, warnings: [open, gone] };
    expect(statusText(both, plain).split("\n")).toContain(
      "  warning: erd-demo/primary: the key is old (drift, for 60 min, not observed for 12 s)",
    );
    expect(statusFindings(both).map(({ code }) => code)).toEqual(["mtu", "key-age"]);
  });

  it("doctor leaves out the parts of a silent router: the router has its own finding", () => {
    const [group] = status.groups;
    const [link] = group?.links ?? [];
    if (group === undefined || link === undefined) throw new Error("no link");
    const code = "device-unreachable";
    const reason = { code, text: "not known", next: "x" } as const;
    const found = (because: { code: typeof code; about: string } | undefined) => {
      const reasons = [because === undefined ? reason : { ...reason, because }];
      const groups = [{ ...group, links: [{ ...link, reasons }] }];
      return statusFindings({ ...status, groups, warnings: [] }).map((each) => each.code);
    };
    expect(found(undefined)).toEqual([code]);
    expect(found({ code, about: "edge-a" })).toEqual([]);
  });

  it("the verdict line is one line for monitoring", () => {
    expect(verdictLine(status, plain)).toBe("demo: degraded: erd-demo/primary degraded");
  });

  it.each([
    ["awaitingPeer", "  next: linkseal rotation proceed erd-demo"],
    ["proving", undefined],
  ] as const)(
    "a status names the next command of a campaign in %s, if there is one",
    (state, next) => {
      const campaign = {
        schema: "linkseal.campaign/1",
        group: "erd-demo",
        kind: "enrol",
        goal: "forward",
        urgency: "planned",
        ...{ state, link: null, since: at, by: "policy", heldFrom: null },
        because: "of a reason",
        reason: { code: "recorded", text: "of a reason" },
        ...{ links: [], farEnd: null, steps: [], until: null, ahead: [], restMs: null },
      } as const;
      expect(campaignLines(campaign, at)).toEqual(
        [`enrol erd-demo: ${state} for 0.0 s: of a reason`, next].filter(
          (line) => line !== undefined,
        ),
      );
    },
  );
});

describe("what Azure Monitor reports about a link", () => {
  const at = "2026-11-24T10:00:00Z";
  it("Azure Monitor's values are one line with their age, and no line if not read", () => {
    const azure = {
      ...{ ageMs: 4_000, until: "2026-11-24T09:57:00Z", lineUp: false },
      ...{ rxDbm: -2.6, txDbm: null, arpPercent: 0, bgpPercent: 99.7 },
      peerings: [{ type: "AzurePrivatePeering", state: "Enabled" }],
    };
    expect(azureLines({ azure }, at)).toEqual([
      "  Azure Monitor (3 min ago): ARP 0 %, BGP 100 %, line down, light in -2.6 dBm, " +
        "AzurePrivatePeering Enabled",
    ]);
    const silent = { ...azure, until: null, lineUp: null, rxDbm: null };
    const nothing = { ...silent, arpPercent: null, bgpPercent: null };
    expect(azureLines({ azure: nothing }, at)).toEqual([
      "  Azure Monitor (no data): AzurePrivatePeering Enabled",
    ]);
    expect(azureLines({ azure: null }, at)).toEqual([]);
  });

  it("a tunnel shows whether its BGP session is up, and its share of the traffic", () => {
    const bgp = { peer: "169.254.21.1", asn: 65_515, up: true, drained: false };
    const texts = (change: Partial<typeof bgp> | { up: null }) =>
      bgpText({ bgp: { ...bgp, ...change } });
    expect([
      texts({}),
      texts({ drained: true }),
      texts({ up: false }),
      texts({ up: null }),
    ]).toEqual([
      ...["169.254.21.1 up", "169.254.21.1 up, drained", "169.254.21.1 down"],
      "169.254.21.1 unknown",
    ]);
    expect([bgpText({ bgp: null }), shareText({ share: null })]).toEqual(["-", "-"]);
    const share = { sent: "4000", percent: 12.5 };
    expect(shareText({ share })).toBe("12.5 % (4000 packets)");
    const tunnels = status.tunnels.map((tunnel) => ({ ...tunnel, bgp, share }));
    expect(statusText({ ...status, tunnels }, plain)).toContain(
      "hub-1  protected  BGP 169.254.21.1 up  sends 12.5 % (4000 packets)\n",
    );
  });
});

describe("a rehearsal", () => {
  const rehearsal = {
    schema: "linkseal.rehearsal/1",
    target: "erd-demo",
    verdict: "bad",
    because: "P2 was broken",
    tookMs: 240_000,
    links: [
      {
        link: "erd-demo/primary",
        outcome: null,
        dark: { wholeMs: 2_500, theirsMs: 1_500, oursMs: 1_000 },
        steps: [{ atMs: 1_250, ...toGated }],
      },
    ],
    lostFrames: "7",
    brokenPromises: ["P2 erd-demo/primary"],
  } as const;

  it("a rehearsal shows outcome, dark times, steps, lost frames and broken promises", () => {
    expect(rehearsalText(rehearsal).split("\n")).toEqual([
      "Rehearsal of erd-demo on a simulated copy: bad: P2 was broken",
      "erd-demo/primary: not ended, down for 2.5 s (1.5 s by the far end, 1.0 s by us)",
      "  1.3 s  waiting for checks  no other campaign runs in this group",
      "It took 4 min of virtual time; 7 frames of the pair were lost; 1 promises broken.",
      "  P2 erd-demo/primary",
    ]);
  });
});

describe("a plan", () => {
  const step: Plan["steps"][number] = {
    n: 1,
    where: "edge-a",
    link: "erd-demo/primary",
    does: "follow",
    preview: "+ macsec [secret cak]",
    darkMs: { low: 500, high: 15_000 },
    risk: "breakBeforeMake",
  };
  const note = { about: "hub-1", text: "edge-b cannot be read", next: "linkseal status" };
  const planOf = (steps: Plan["steps"], notes: Plan["notes"]): Plan => ({
    schema: "linkseal.plan/1",
    wouldChange: steps.length > 0,
    steps,
    notes,
  });

  it.each([
    [
      "one step",
      [step],
      [],
      "1. erd-demo/primary: follow (at edge-a, link down for 0.5 s to 15 s, " +
        "risk breakBeforeMake)\n" +
        "     + macsec [secret cak]",
    ],
    ["one note", [], [note], "not done: hub-1: edge-b cannot be read\n     next: linkseal status"],
    ["nothing to do", [], [], "Nothing to do: both ends are as the config wants them."],
  ])("a plan with %s is shown", (_name, steps, notes, text) => {
    expect(planText(planOf(steps, notes))).toBe(text);
  });
});

describe("a plan of a campaign", () => {
  const guess = { low: 500, likely: 1_500, high: 5_000, basis: "firstRun" } as const;
  const none = { low: 0, likely: 0, high: 0, basis: "fixed" } as const;
  const step: Plan["steps"][number] = {
    n: 1,
    where: "erd-demo link1",
    link: "erd-demo/primary",
    does: "give it",
    preview: "~ key",
    darkMs: { low: 500, high: 5_000 },
    risk: null,
    state: "switching",
    takes: { low: 30_000, likely: 30_000, high: 30_000, basis: "measured" },
    dark: { theirs: guess, ours: none, drained: true },
  };
  const note = { about: "erd-demo", text: "a freeze", next: "wait", code: "gate.window" } as const;
  const planOf = (over: Partial<Plan["steps"][number]>): Plan => ({
    schema: "linkseal.plan/1",
    wouldChange: true,
    steps: [{ ...step, ...over }],
    notes: [note],
  });

  it("a step of a plan shows whose dark time it is, its duration and what is in its way", () => {
    expect(planText(planOf({})).split("\n")).toEqual([
      "1. erd-demo/primary: give it (at erd-demo link1)",
      "     ~ key",
      "     takes 30 s; link down by the far end about 1.5 s (0.5 s to 5.0 s, not measured yet); " +
        "drained, so no frame is lost",
      "In all about 30 s, as it was measured here.",
      "in the way: erd-demo: a freeze",
      "     next: wait",
    ]);
  });

  it("a step without a drain says that frames are lost, one of a person has no end", () => {
    const dark = { theirs: none, ours: guess, drained: false };
    const text = planText(planOf({ dark, takes: guess, state: "awaitingPeer" }));
    expect(text).toContain("as long as it takes; link down by us about 1.5 s");
    expect(text).toContain("not drained: its frames are lost");
    expect(text).toContain(
      "by defaults where nothing was measured yet, and the time that a person",
    );
  });
});

describe("an apply on a terminal", () => {
  const planOf = (does: string): SitePlan => ({
    schema: "linkseal.plan/1",
    wouldChange: false,
    steps: [],
    notes: [{ about: "x", text: does, next: "" }],
    config: { accepted: 1, sha256: "ab", compared: "differs", settings: [] },
    differs: true,
    agreed: { accepted: 1, sha256: "ab", states: {}, steps: [] },
  });
  const accepted = { kind: "accepted", number: 1, plan: planOf("c") } as const;

  it.each([
    ["yes", ["yes"], "show a first, push a", "accepted"],
    ["no", ["no"], "show a first", undefined],
    [
      "a change, then yes",
      ["yes", "yes"],
      "show a first, push a, show b changed, push b",
      "accepted",
    ],
    ["a change, then no", ["yes", "no"], "show a first, push a, show b changed", undefined],
  ])("an apply on a terminal that is answered with %s", async (name, words, wanted, kind) => {
    const seen: string[] = [];
    const texts = [...words];
    const does = (plan: Plan): string => plan.notes[0]?.text ?? "";
    const answer = await agree(planOf("a"), {
      show: (plan, why) => seen.push(`show ${does(plan)} ${why}`),
      ask: () => Promise.resolve(texts.shift() === "yes"),
      push(shown) {
        seen.push(`push ${does(shown)}`);
        const moved = name.startsWith("a change") && does(shown) === "a";
        const changed = { kind: "changed", since: ["b"], plan: planOf("b") } as const;
        return Promise.resolve(moved ? changed : accepted);
      },
    });
    expect([seen.join(", "), answer?.kind]).toEqual([wanted, kind]);
  });
});

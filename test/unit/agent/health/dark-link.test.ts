import { expect, it } from "vitest";
import { type JudgedLink, withLostTraffic } from "#agent/health/dark-link.ts";
import { finding, type LinkHealth } from "#agent/model/health.ts";
import { linkNamed } from "../../kit/snapshot-kit.ts";

const ages = { controlPlaneMs: 0, dataPlaneMs: 0, farEndMs: 0 };
const healthy: LinkHealth = { verdict: "protected", reasons: [], ages };
const silent = finding("down", "mka-no-live-peer", "erd-demo/primary", "the far end is silent");
const changed = finding("degraded", "far-end-changed", "erd-demo/primary", "it was changed");
const dark: LinkHealth = { verdict: "down", reasons: [changed, silent], ages };

const primary = { link: linkNamed("primary"), health: dark, bgp: "up", drain: "off" } as const;
const secondary = {
  link: linkNamed("secondary"),
  health: healthy,
  bgp: "up",
  drain: "off",
} as const;

function primaryOf(
  own: Partial<JudgedLink>,
  sibling: Partial<JudgedLink> = {},
  drains: "possible" | "impossible" = "possible",
): LinkHealth | undefined {
  const links = [
    { ...primary, ...own },
    { ...secondary, ...sibling },
  ];
  return withLostTraffic(links, drains).get("erd-demo/primary");
}

const lost = "its BGP is still up, so traffic still goes into it and is lost";

it("a dark link is not drained onto a sibling that may lose what is sent", () => {
  const doubt = finding("degraded", "arrival-not-proven", "erd-demo/secondary", "no answer");
  const doubted: LinkHealth = { verdict: "degraded", reasons: [doubt], ages };
  const next = primaryOf({}, { health: doubted })?.reasons[1]?.next;
  expect(next).toBe(silent.next);
});

it("a dark link with BGP up names the lost traffic, and is drained if the sibling carries", () => {
  const reasons = primaryOf({})?.reasons;
  expect(reasons?.[0]).toEqual(dark.reasons[0]);
  expect(reasons?.[1]?.text).toBe(`the far end is silent; ${lost}`);
  expect(reasons?.[1]?.next).toBe("linkseal drain erd-demo/primary");
});

it.each<readonly [string, Partial<JudgedLink>]>([
  ["is dark", { health: dark }],
  ["is in the clear", { health: { ...healthy, verdict: "unprotected" } }],
  ["is not known", { health: { ...healthy, verdict: "unknown" } }],
  ["has no BGP", { bgp: "down" }],
  ["has a BGP that is not known", { bgp: undefined }],
  ["is drained", { drain: "on" }],
])("beside a sibling that %s no drain is proposed", (_, sibling) => {
  const reason = primaryOf({}, sibling)?.reasons[1];
  expect(reason?.text).toBe(`the far end is silent; ${lost}, and no sibling is seen to carry`);
  expect(reason?.next).toBe(silent.next);
});

it.each<readonly [string, Partial<JudgedLink>]>([
  ["whose BGP is down", { bgp: "down" }],
  ["whose BGP is not known", { bgp: undefined }],
  ["that is drained", { drain: "on" }],
  ["that carries", { health: { ...dark, verdict: "degraded" } }],
])("a link %s is said to lose no traffic", (_, own) => {
  expect(primaryOf(own)?.reasons.map(({ text }) => text)).toEqual([changed.text, silent.text]);
});

it("where no operator can drain now, the next step is that of the reason", () => {
  const reason = primaryOf({}, {}, "impossible")?.reasons[1];
  expect(reason?.text).toBe(`the far end is silent; ${lost}`);
  expect(reason?.next).toBe(silent.next);
});

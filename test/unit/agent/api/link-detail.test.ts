// Everything about one link, as the socket answers it and as the command prints it.

import { beforeAll, describe, expect, it } from "vitest";
import type { LinkDetail } from "#agent/api/link-detail.ts";
import { linkText } from "#agent/cli/link-text.ts";
import type { FilledStep } from "#agent/explain/steps.ts";
import { AgentBench, group } from "../../kit/agent-bench.ts";

const plain = {
  strong: (text: string) => text,
  faint: (text: string) => text,
  bad: (text: string) => text,
  verdict: (verdict: string) => verdict,
};

let bench: AgentBench;
beforeAll(async () => {
  bench = new AgentBench("protected", "detail");
  await bench.live();
  await bench.apply();
  await bench.run(30_000);
  await bench.ask("POST /v1/adopt", { target: group, risks: [] });
  await bench.run(120_000);
});

const detailOf = async (name: string): Promise<LinkDetail> =>
  (await bench.ask(`GET /v1/link?name=${encodeURIComponent(name)}`, "", "view")) as LinkDetail;

describe("the detail of a link", () => {
  it("both ends are in it: keys, settings, counters, BGP, and the accepted pair", async () => {
    const detail = await detailOf(`${group}/primary`);
    const { status, router, farEnd, wanted, reasons } = detail;
    expect([detail.schema, status.verdict, reasons]).toEqual(["linkseal.link/1", "protected", []]);
    expect(router).toMatchObject({ admin: "up", linkUp: true, controlledPort: "secured" });
    expect(router.keys?.map(({ ckn }) => ckn)).toEqual([status.keyInUse]);
    expect(Number(router.mkpdus?.["received"])).toBeGreaterThan(0);
    expect(router.bgp.map(({ up }) => up)).toEqual([true]);
    expect(router.settings).toMatchObject({ policy: "mustSecure", suite: wanted.suite });
    expect(farEnd).toMatchObject({ link: "link1", admin: "up", sci: wanted.sci });
    expect([farEnd?.cakSecretId, farEnd?.cknSecretId]).toEqual([
      wanted.cakSecretId,
      wanted.cknSecretId,
    ]);
    expect(wanted.cakSecretId).toMatch(/^https:/);
  });

  it("the text has a line for each, and no next that names itself", async () => {
    const text = linkText(await detailOf(`${group}/primary`), "2026-11-24T10:00:00Z", plain);
    for (const word of ["MKPDUs", "BGP", "MTU", "cipher", "far end", "config", "key server"]) {
      expect(text).toContain(word);
    }
    expect(text).not.toContain("linkseal links");
  });

  it("a link that the config does not name is refused", async () => {
    for (const name of [`${group}/gone`, "primary", "__proto__", group]) {
      expect(await detailOf(name)).toMatchObject({ schema: "linkseal.error/1", code: "usage" });
    }
  });

  it("the steps of a code have the names of the config", async () => {
    const about = encodeURIComponent(`${group}/primary`);
    const answer = await bench.ask(`GET /v1/steps?code=ckn-mismatch&about=${about}`, "", "view");
    const { steps } = answer as { readonly steps: readonly FilledStep[] };
    expect(steps.length).toBeGreaterThan(2);
    expect(JSON.stringify(steps)).toContain(`linkseal ends ${group}/primary`);
    expect(await bench.ask("GET /v1/steps?code=no-such-code&about=x", "", "view")).toEqual({
      steps: [],
    });
  });

  it("a reading older than the freshness limit is in no part of the detail", async () => {
    bench.link("secondary").router.setFault("unreachable", true);
    await bench.run(120_000);
    const { status, router } = await detailOf(`${group}/secondary`);
    bench.link("secondary").router.setFault("unreachable", false);
    expect([status.verdict, status.mka, status.keyInUse]).toEqual(["unknown", null, null]);
    const { driver: _driver, address: _address, bgp, troubles, ...read } = router;
    expect([bgp, troubles]).toEqual([[], []]);
    expect(Object.entries(read).filter(([, value]) => value !== null)).toEqual([]);
  });

  it("a link that is cut says what to do at each end, without its own command", async () => {
    bench.link("primary").fibre.setUp(false);
    await bench.run(60_000);
    const detail = await detailOf(`${group}/primary`);
    expect(detail.reasons.map(({ code, severity }) => [code, severity])).toContainEqual([
      ...["link-down", "error"],
    ]);
    const text = linkText(detail, "2026-11-24T10:00:00Z", plain);
    expect(text).toMatch(/^error: .*\(link-down\)$/m);
    expect(text).toMatch(/^ {2}\d\. On the router: check the port's configured state/m);
    expect(text).not.toContain(`linkseal links ${group}/primary`);
  });
});

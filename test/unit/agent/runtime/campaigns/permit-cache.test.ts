// What a campaign is told when it asks for a link: at once, and a doubt withholds.

import { describe, expect, it } from "vitest";
import type { Asked } from "#agent/fleet/records.ts";
import { isoTime } from "#agent/model/iso-time.ts";
import { PermitCache, type PermitReading } from "#agent/runtime/campaigns/permit-cache.ts";
import type { WallTime } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { campaignOf, keyOne } from "../../../kit/campaign-kit.ts";
import { desired, wall } from "../../../kit/snapshot-kit.ts";

const campaign = campaignOf("gated", { kind: "rotate", group: "erd" }, "keychain");
const { nonce } = campaign;

class Bench {
  readonly clock = new SimClock(wall);
  site: string | undefined = "dublin";
  readonly permits = new PermitCache({
    clock: this.clock,
    intents: {
      desired: () => (this.site === undefined ? undefined : { ...desired, site: this.site }),
      history: () => [{ number: 1, sha256: "cd".repeat(32), who: "a test", at: wall }],
    },
  });

  reading(over: Partial<PermitReading> = {}): PermitReading {
    const isFor = ({ nonce: of }: Asked): boolean => of === nonce;
    const notAfter = (wall + 3_600_000) as WallTime;
    return { begunAt: this.clock.now(), permit: { isFor, notAfter }, freeze: "none", ...over };
  }

  /** Asks, and then reads. */
  read(over: Partial<PermitReading> = {}): this {
    this.why();
    this.permits.take("erd", this.reading(over));
    return this;
  }

  why(of = campaign): string | undefined {
    return this.permits.withheld(of)?.cause.code;
  }
}

describe("what a campaign asks for", () => {
  it("an ask names nonce, site, group, kind, config and the keys of all links", () => {
    const { permits } = new Bench();
    const [first, second] = campaign.links;
    expect(permits.askedBy(campaign)).toEqual({
      ...{ nonce, site: "dublin", group: "erd", kind: "rotate" },
      config: { number: 1, sha256: "cd".repeat(32) },
      keys: [
        { link: "primary", old: first?.old?.key.ckn, new: keyOne.ckn },
        { link: "secondary", old: second?.old?.key.ckn, new: second?.new.key.ckn },
      ],
    });
  });

  it("an enrolment has no key before, and a change keeps its key", () => {
    const { permits } = new Bench();
    const keys = (kind: "enrol" | "change") =>
      permits.askedBy(campaignOf("gated", { kind }))?.keys[0];
    expect(keys("enrol")).toEqual({ link: "primary", old: null, new: keyOne.ckn });
    expect(keys("change")).toEqual({ link: "primary", old: keyOne.ckn, new: null });
  });

  it("a campaign of an earlier version, or of a config that is lost, cannot ask", () => {
    const bench = new Bench();
    expect(bench.permits.askedBy({ ...campaign, nonce: undefined })).toBeUndefined();
    expect(bench.permits.askedBy({ ...campaign, intent: 2 })).toBeUndefined();
    bench.site = undefined;
    expect(bench.permits.askedBy(campaign)).toBeUndefined();
    expect(bench.read().why()).toBe("permit.other");
  });
});

describe("a campaign that asks for a link", () => {
  it("a permit that was read counts until its end", async () => {
    const bench = new Bench().read();
    expect(bench.why()).toBeUndefined();
    bench.read({ permit: { isFor: () => true, notAfter: (wall + 1_000) as WallTime } });
    await bench.clock.runFor(999);
    expect(bench.why()).toBeUndefined();
    await bench.clock.runFor(1);
    expect(bench.permits.withheld(campaign)).toEqual({
      ...{ code: "gate.permit" },
      cause: { code: "permit.expired", end: isoTime((wall + 1_000) as WallTime) },
    });
  });

  it("the end of a permit counts for the first link, and not for those after it", () => {
    const bench = new Bench();
    const over = { isFor: () => true, notAfter: wall };
    expect(bench.read({ permit: over }).why()).toBe("permit.expired");
    const second = { ...campaign, at: 1 };
    bench.why(second);
    bench.permits.take("erd", bench.reading({ permit: over }));
    expect(bench.why(second)).toBeUndefined();
  });

  it("a reading counts for a minute, and one that fails ends the one before", async () => {
    const bench = new Bench();
    expect(bench.why()).toBe("permit.unknown");
    bench.read();
    await bench.clock.runFor(60_000);
    expect(bench.why()).toBeUndefined();
    await bench.clock.runFor(1);
    expect(bench.why()).toBe("permit.unknown");
    bench.read();
    bench.permits.take("erd", undefined);
    expect(bench.why()).toBe("permit.unknown");
    bench.read().permits.forget();
    expect(bench.why()).toBe("permit.unknown");
  });

  it("no permit, one for something else, a freeze: each has its cause", () => {
    const bench = new Bench();
    const otherwise = { isFor: () => false, notAfter: wall };
    expect(bench.read({ permit: undefined }).why()).toBe("permit.missing");
    expect(bench.read({ permit: otherwise }).why()).toBe("permit.other");
    expect(bench.read({ freeze: "unreadable" }).why()).toBe("permit.unreadable");
    expect(bench.read({ freeze: "site" }).permits.withheld(campaign)?.cause).toEqual({
      ...{ code: "permit.frozen", scope: "site" },
    });
    expect(bench.read({ freeze: "fleet" }).why()).toBe("permit.frozen");
    expect(bench.read().why()).toBeUndefined();
  });

  it("each link, and each campaign, waits for a reading that began after it asked", async () => {
    const bench = new Bench().read();
    const early = bench.reading();
    await bench.clock.runFor(1);
    const second = { ...campaign, at: 1 };
    expect(bench.why(second)).toBe("permit.unknown");
    bench.permits.take("erd", early);
    expect(bench.why(second)).toBe("permit.unknown");
    bench.permits.take("erd", bench.reading());
    expect(bench.why(second)).toBeUndefined();
    expect(bench.why({ ...campaign, nonce: "00".repeat(16) })).toBe("permit.unknown");
  });

  it("what is read for a group that has not asked is not kept", () => {
    const bench = new Bench();
    bench.permits.take("erd", bench.reading());
    expect(bench.permits.groups).toEqual([]);
    expect(bench.why()).toBe("permit.unknown");
    expect(bench.permits.groups).toEqual(["erd"]);
  });
});

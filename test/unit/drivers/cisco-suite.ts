// What both platforms of Cisco make of a session and of the times of their keys.

import { expect, it } from "vitest";
import { type ChainPlan, slotsOf } from "#drivers/platform/cisco-chains.ts";
import { asConfigured, readSessions, sessionOf } from "#drivers/platform/cisco-mka.ts";
import { readPing } from "#drivers/platform/cisco-system.ts";
import { type MacsecSettings, parseCkn } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { cknOf, wall } from "./junos-kit.ts";

type Page = (over?: Readonly<Record<string, string>>, live?: number) => string;

interface Pages {
  readonly page: Page;
  readonly settings: MacsecSettings | undefined;
  /** What the status of a key says that finds no peer. */
  readonly searching: string;
  /** What the page of a fallback key says besides. */
  readonly fallback?: Readonly<Record<string, string>>;
  /** Pages of the platform's own that do not mean a secured port. */
  readonly blocked: readonly (readonly [string, string])[];
}

export function trySessions({ page, settings, searching, fallback = {}, blocked }: Pages): void {
  const session = (...pages: readonly string[]) =>
    sessionOf(readSessions(pages.join("\n\n")) ?? [], settings);

  it("is secured by a live peer and a SAK both ways", () => {
    expect(session(page())).toMatchObject({
      controlledPort: "secured",
      principalCkn: cknOf(1),
      livePeers: 1,
      respondedPeers: 1,
      keyServer: "self",
      keyServerPriority: 20,
      latestSak: { an: 1, keyId: "a880bb45b9ce01584535f239/2", receive: true, transmit: true },
      oldSak: undefined,
    });
  });

  const pages: Pages["blocked"] = [
    ["without a live peer", page({}, 0)],
    ["whose count is not that of its list", page({ "# of MACsec Capable Live Peers": "0" })],
    ["without a SAK", page({ "Latest SAK KI (KN)": "FIRST-SAK (0)" })],
    ["that sends nothing", page({ "Latest SAK Status": "Rx, No Tx" })],
    ["that receives nothing", page({ "Latest SAK Status": "No Rx, Tx" })],
    ...blocked,
  ];
  it.each(pages)("%s is blocked whatever its words are", (_, text) => {
    expect(session(text).controlledPort).toBe("blocked");
  });

  tryNames(page, settings);

  it("is not understood if a page is cut off, mixed, or counts more than it lists", () => {
    const whole = page();
    expect(readSessions(whole)).toHaveLength(1);
    const rows = whole.split("\n");
    const end = rows.findIndex((row) => row.startsWith("Potential "));
    // An identical page begins again, so that the second list may belong to it.
    expect(readSessions([...rows.slice(0, end), whole].join("\n"))).toBeUndefined();
    for (const cut of rows.keys()) {
      if (cut > 1 && cut <= end)
        expect(readSessions(rows.slice(0, cut).join("\n"))).toBeUndefined();
    }
    expect(readSessions(page({ "# of MACsec Capable Live Peers": "2" }))).toBeUndefined();
    expect(readSessions(whole.replace("No Rx", "Rx").replace("Rx & Tx", "R\u{fffd} & Tx"))).toBe(
      undefined,
    );
    expect(readSessions(`${whole}\nStatus: ACTIVE`)).toBeUndefined();
  });

  tryTwoPages(page, searching);

  it("is on the fallback once the primary key has lost its peer", () => {
    const primary = page({ Status: searching }, 0);
    const other = page({ "CAK Name (CKN)": cknOf(2).toUpperCase(), ...fallback });
    expect(session(primary, other)).toMatchObject({
      controlledPort: "secured",
      principalCkn: cknOf(2),
      participants: [
        { ckn: cknOf(1), state: "none" },
        { ckn: cknOf(2), state: "live" },
      ],
    });
  });
}

function tryNames(page: Pages["page"], settings: Pages["settings"]): void {
  it("has the name that is configured, where the router fills it with zeros", () => {
    const read = readSessions(page({ "CAK Name (CKN)": "10".padEnd(64, "0") })) ?? [];
    const key = (text: string) => {
      const ckn = parseCkn(text);
      if (ckn === undefined) throw new RangeError(text);
      return { ckn };
    };
    const [short, longer, other] = [key("10"), key("1000"), key("11")];
    const named = (...keys: readonly (typeof short)[]) =>
      sessionOf(asConfigured(read, keys), settings).principalCkn;
    expect(named(other, short)).toBe("10");
    expect(named(longer)).toBe("1000");
    // Two keys could have this name, so it is that of neither.
    expect(named(short, longer)).toBe("10".padEnd(64, "0"));
    expect(named(other)).toBe("10".padEnd(64, "0"));
  });
}

function tryTwoPages(page: Pages["page"], searching: string): void {
  it("is not understood if a key of a port has two pages", () => {
    const name = /^Interface Name[.: ]+(\S+)$/m.exec(page())?.[1] ?? "";
    const short = name.replace(/^(..)\D*/, "$1");
    const second = page({ Status: searching, "Interface Name": short }, 0);
    for (const two of [page(), page({ Status: searching }, 0), second]) {
      expect(readSessions(two)).toHaveLength(1);
      expect(readSessions(`${page()}\n\n${two}`)).toBeUndefined();
    }
    const other = page({ "CAK Name (CKN)": cknOf(2).toUpperCase() });
    expect(readSessions(`${page()}\n\n${other}`)).toHaveLength(2);
  });
}

export function tryPing(): void {
  it("tells how many probes came back", () => {
    const text = "!!!.!\nSuccess rate is 80 percent (4/5), round-trip min/avg/max = 1/1/1 ms";
    expect(readPing(text)).toEqual({ sent: 5, answered: 4 });
    expect(readPing("Success rate is 80 percent (6/5)")).toBeUndefined();
  });

  const address = "198.51.100.2";
  const whole =
    `Sending 5, 100-byte ICMP Echos to ${address}, timeout is 1 seconds:\n` +
    "!!!.!\nSuccess rate is 80 percent (4/5), round-trip min/avg/max = 1/1/1 ms";

  it.each([
    ["of another count", "Sending 5", "Sending 4"],
    ["to another address", address, "198.51.100.3"],
    ["whose marks are more", "!!!.!", "!!!.!!"],
    ["whose marks are others", "!!!.!", "!!.!."],
    ["whose percent is another", "80 percent", "100 percent"],
    ["that sent another count", "(4/5)", "(8/10)"],
  ])("a ping %s is not understood", (_, from, to) => {
    expect(readPing(whole, { address, count: 5 })).toEqual({ sent: 5, answered: 4 });
    expect(readPing(whole.replace(from, to), { address, count: 5 })).toBeUndefined();
  });

  it("a ping to an address in another form is the one that was asked", () => {
    const text = whole.replace(address, "2001:DB8:0::2");
    const asked = { address: "2001:db8::2", count: 5 };
    expect(readPing(text, asked)).toEqual({ sent: 5, answered: 4 });
    expect(readPing(text, { ...asked, address: "2001:db8::3" })).toBeUndefined();
    expect(readPing(whole.replace("5, 100", "9, 100"), { ...asked, address })).toBeUndefined();
  });
}

/** Of a port whose second key begins 30 s later, and ends a day after that. */
export function tryTimes(plan: ChainPlan): void {
  it("has its keys by chain and time", () => {
    expect(slotsOf(plan, wall)).toEqual([
      { ckn: cknOf(2), role: "primary" },
      { ckn: cknOf(3), role: "scheduled", startsAt: Date.UTC(2026, 10, 25, 18, 0, 30) },
    ]);
    const later = (wall + 60_000) as WallTime;
    expect(slotsOf(plan, later)[1]).toEqual({ ckn: cknOf(3), role: "fallback" });
    const tooLate = (wall + 2 * 86_400_000) as WallTime;
    expect(slotsOf(plan, tooLate)).toEqual([{ ckn: cknOf(2), role: "primary" }]);
  });
}

// Which faults of SAs last, and when one of them has ended.

import { describe, expect, it } from "vitest";
import { isMended, saFaultOf } from "#agent/health/sa-fault.ts";
import { type IpsecSa, type IpsecTunnel, known, unknown } from "#hal/model.ts";
import { tunnelObservation } from "../health-evidence.ts";

const settings = { evidenceMs: 90_000 };

interface Shown {
  readonly at: number;
  readonly spi?: number;
  readonly in?: bigint;
  readonly out?: bigint;
  readonly pairs?: number;
  readonly ike?: "established" | "down";
  readonly phase?: IpsecSa["phase"];
  readonly isSilent?: boolean;
}

function observed({ isSilent = false, ...shown }: Shown) {
  const { at, spi = 10, pairs = 1, ike = "established", phase, ...packets } = shown;
  const time = at as never;
  const tunnel = tunnelObservation(time, 5);
  const sample = tunnel.sas.kind === "known" ? tunnel.sas.value : [];
  const sas = Array.from({ length: pairs }, (_, pair) =>
    sample.map((sa) => {
      const counted = packets[sa.direction] ?? 0n;
      const own = spi + 2 * pair + (sa.direction === "in" ? 0 : 1);
      return { ...sa, phase: phase ?? "installed", spi: own, packets: counted };
    }),
  ).flat();
  return {
    ...tunnel,
    isSilent,
    ike: known(ike, time),
    sas: known(sas, time),
  } satisfies IpsecTunnel;
}

const over = (...all: readonly Shown[]): readonly IpsecTunnel[] => all.map(observed);

describe("the fault of a tunnel's SAs", () => {
  it.each<{ readonly name: string; readonly of: readonly IpsecTunnel[]; readonly fault?: string }>([
    { name: "nothing is observed", of: [] },
    {
      name: "packets leave and none comes back",
      of: over({ at: 0, out: 5n }, { at: 45_000, out: 7n }, { at: 90_000, out: 9n }),
      fault: "oneWay",
    },
    {
      name: "that, and the gateway answers nothing",
      of: over(
        { at: 0, out: 5n },
        { at: 45_000, out: 7n },
        { at: 90_000, out: 9n, isSilent: true },
      ),
    },
    {
      name: "that lasts less than the evidence time",
      of: over({ at: 0, out: 5n }, { at: 45_000, out: 7n }, { at: 89_999, out: 9n }),
    },
    {
      name: "a packet came back before a rekey",
      of: over(
        { at: 0, in: 4n, out: 5n },
        { at: 45_000, in: 5n, out: 7n },
        { at: 90_000, spi: 20, out: 9n },
      ),
    },
    {
      name: "a rekey did not help",
      of: over(
        { at: 0, in: 4n, out: 5n },
        { at: 45_000, spi: 20, out: 7n },
        { at: 90_000, spi: 20, out: 9n },
      ),
      fault: "oneWay",
    },
    { name: "nothing leaves either", of: over({ at: 0, out: 5n }, { at: 90_000, out: 5n }) },
    {
      name: "packets only arrive",
      of: over({ at: 0, in: 5n }, { at: 90_000, in: 9n }),
    },
    {
      name: "IKE was down meanwhile",
      of: over({ at: 0, out: 5n }, { at: 45_000, out: 7n, ike: "down" }, { at: 90_000, out: 9n }),
    },
    {
      name: "two pairs carry all the time",
      of: over(
        { at: 0, in: 1n, out: 1n, pairs: 2 },
        { at: 45_000, in: 2n, out: 2n, pairs: 3 },
        { at: 90_000, in: 3n, out: 3n, pairs: 2 },
      ),
      fault: "duplicates",
    },
    {
      name: "two pairs carry for a while",
      of: over(
        { at: 0, in: 1n, out: 1n, pairs: 2 },
        { at: 45_000, in: 2n, out: 2n, pairs: 1 },
        { at: 90_000, in: 3n, out: 3n, pairs: 2 },
      ),
    },
    {
      name: "several pairs carry one way only",
      of: over({ at: 0, out: 5n, pairs: 7 }, { at: 90_000, out: 9n, pairs: 7 }),
      fault: "oneWay",
    },
    {
      name: "rekeyed pairs end beside a new one",
      of: over(
        { at: 0, in: 1n, out: 1n, pairs: 2, phase: "rekeyed" },
        { at: 90_000, in: 2n, out: 2n, pairs: 2, phase: "rekeyed" },
      ),
    },
    {
      name: "the SAs cannot be read",
      of: over({ at: 0, out: 5n }, { at: 90_000, out: 9n }).map((one) => ({
        ...one,
        sas: unknown("queryFailed", one.sas.at),
      })),
    },
  ])("$name: $fault", ({ of, fault }) => {
    expect(saFaultOf(of, settings)).toBe(fault);
  });

  it("a packet that arrives ends the one, and a single pair ends the other", () => {
    const back = over({ at: 0, out: 5n }, { at: 5_000, spi: 20, in: 1n, out: 1n });
    expect([isMended("oneWay", back), isMended("oneWay", back.slice(0, 1))]).toEqual([true, false]);
    const left = over({ at: 0, pairs: 3 }, { at: 5_000, pairs: 1 });
    expect([isMended("duplicates", left), isMended("duplicates", left.slice(0, 1))]).toEqual([
      ...[true, false],
    ]);
    expect(isMended("duplicates", [])).toBe(false);
  });
});

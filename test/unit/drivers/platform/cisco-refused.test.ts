// A router whose role may not run a query, or that answers it in an unknown form: the query costs
// its own reading, and its name is in what is told of it.

import { describe, expect, it } from "vitest";
import type { Reading } from "#hal/model.ts";
import { secure } from "#sim/conformance/kit.ts";
import { channelTo } from "#sim/lab/emulator-channel.ts";
import { type Platform, placeOf, platforms, wayOf } from "../../../conformance/place.ts";
import { benchOf, drive } from "../../../conformance/rig.ts";
import { never, refused, settled } from "../../kit/site-bench.ts";

interface Shown {
  show(question: string): string | undefined;
}

const cases = {
  nxos: {
    platform: platforms["C9336C-FX2 9.3.6"] as Platform,
    queries: { bgp: /^running-config bgp/, macsec: /tunnel-encryption/ },
  },
  iosxr: {
    platform: platforms["8201-32FH 7.11.2"] as Platform,
    queries: { bgp: /^running-config router bgp/, macsec: /^running-config macsec-policy/ },
  },
  iosxe: {
    platform: platforms["C8500-12X4QC 17.15.1"] as Platform,
    queries: { bgp: /\^router bgp/, macsec: /\^key chain/ },
  },
} as const;

/** Opens a router with one protected port; `answer` replaces its reply to a query. */
async function opened(vendor: keyof typeof cases, what: "bgp" | "macsec", answer?: string) {
  const { platform, queries } = cases[vendor];
  const place = placeOf(platform);
  const { rig, emulator } = place;
  const target = { device: rig.router.name, address: "192.0.2.1" };
  const way = wayOf(place, target, async (to) =>
    channelTo(to.device, (wire) => emulator.connect(wire)),
  );
  const [port] = platform.ports;
  const secured = async () => await secure(await benchOf(rig, way), port);
  await drive(rig.clock, secured());
  const shown = emulator as unknown as Shown;
  const show = shown.show.bind(emulator);
  const refusal = "% Invalid input detected at '^' marker.";
  const reply = answer ?? (vendor === "nxos" ? undefined : refusal);
  shown.show = (question) => (queries[what].test(question) ? reply : show(question));
  const device = await settled(rig.clock, way.open());
  const observed = await settled(rig.clock, device.observe(never));
  const own = observed.macsec.find((one) => one.port === port);
  return { rig, device, port, own, routing: observed.routing, query: queries[what] };
}

const queryIn = (reading: Reading<unknown> | undefined): string =>
  (reading?.kind === "unknown" ? reading.query : undefined)?.replaceAll(/^"(?:do )?show /g, "") ??
  "";

describe("a query that a role may not run", () => {
  it.each(["nxos", "iosxr", "iosxe"] as const)(
    "a router of %s whose BGP configuration is refused is opened, and its MACsec is read",
    async (vendor) => {
      const { rig, device, port, own, routing, query } = await opened(vendor, "bgp");
      expect(own?.settings.kind).toBe("known");
      expect(own?.session.kind).toBe("known");
      expect(routing).toMatchObject({ kind: "unknown", why: "queryFailed" });
      expect(queryIn(routing)).toMatch(query);
      // A change rests on the neighbours too.
      const keys = () => Promise.reject(new Error("no key"));
      const prepared = device.prepare([{ kind: "port.shut", port }], keys, never);
      const error = await refused(settled(rig.clock, prepared));
      expect(error).toMatchObject({ code: "device.unparsed", effect: "none" });
      expect(error.message).toMatch(/has no answer/);
      await device[Symbol.asyncDispose]();
    },
  );

  it.each(["nxos", "iosxr", "iosxe"] as const)(
    "a router of %s whose MACsec configuration is refused is opened, and names that query",
    async (vendor) => {
      const { device, own, query } = await opened(vendor, "macsec");
      expect(device.capabilities.macsec).toBeDefined();
      expect(own?.settings).toMatchObject({ kind: "unknown", why: "queryFailed" });
      expect(queryIn(own?.settings)).toMatch(query);
      await device[Symbol.asyncDispose]();
    },
  );

  it.each(["nxos", "iosxr"] as const)(
    "a router of %s whose BGP configuration is not understood is opened, and names that query",
    async (vendor) => {
      const { device, own, routing, query } = await opened(vendor, "bgp", "Service not responding");
      expect(own?.settings.kind).toBe("known");
      expect(routing).toMatchObject({ kind: "unknown", why: "unparsed" });
      expect(queryIn(routing)).toMatch(query);
      await device[Symbol.asyncDispose]();
    },
  );
});

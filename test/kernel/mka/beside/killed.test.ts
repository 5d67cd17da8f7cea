// linkseal-mka is killed beside wpa_supplicant and comes back: the frames that are lost by what its
// successor has, and by the time in which no process ran.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { effort } from "../../../effort.ts";
import { leaveNetworks, until } from "../../lab.ts";
import { Participant } from "../participant.ts";
import { ServiceManager } from "../service-manager.ts";
import { address, keyOf, keysOf, makeSecy, wire } from "../station.ts";
import { Supplicant } from "../supplicant.ts";
import { Flow } from "../traffic.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "linkseal-mka-"));
});
afterEach(() => {
  leaveNetworks();
  rmSync(folder, { recursive: true });
});

const key = keyOf("c0ffee", 32);
const suite = "gcm-aes-256";
const rate = { everyMs: 25, turnMs: 100 } as const;
/** Two hellos and a successor's start before the end of a life time of 6 s. */
const patienceMs = 3_500;
const roles = { server: 16, member: 64 } as const;

/** What the successor has: systemd's memory, or the sealed keys alone. */
const rows = (["memory", "keys"] as const).flatMap((has) =>
  effort(["server"] as const, ["server", "member"] as const).flatMap((role) =>
    effort([1_000], has === "memory" ? [100, 1_000, 2_000, 3_000] : [100, 1_000, 3_000]).map(
      (goneMs) => ({ has, role, goneMs }),
    ),
  ),
);

describe("a killed linkseal-mka beside wpa_supplicant", { timeout: 300_000 }, () => {
  it.each(rows)(
    "with $has, as $role, back after $goneMs ms: the SAs in use stay",
    async ({ has, role, goneMs }) => {
      const networks = wire();
      const [left, right] = networks;
      makeSecy(left, { suite, sci: "on" });
      address(left, 0);
      const other = { network: right, key, suite, replayWindow: 64 } as const;
      using peer = new Supplicant({ version: "2.11", priority: 32, ...other });
      using manager = new ServiceManager(join(folder, "notify"));
      const seal = join(folder, "seal");
      writeFileSync(seal, crypto.getRandomValues(new Uint8Array(32)), { mode: 0o600 });
      using ours = new Participant({
        ...{ network: left, folder, options: ["--key-cache", `file:${seal}`] },
        ...(has === "memory" ? { manager: manager.address } : {}),
      });
      await ours.start();
      const settings = { keyServerPriority: roles[role], sakRekeyMs: undefined } as const;
      const own = { kind: "configure", settings: { ...settings, delayProtection: "off" } } as const;
      await ours.change(own, { token: "settings", within: "final" });
      await ours.add(key, { token: "key", within: "final" });
      await until(() => ours.secured());
      address(right, 1, await peer.device());
      await rest(4_000);
      const before = keysOf(left);
      const flow = await Flow.begin(networks, rate);
      await rest(1_000);
      await ours.end("SIGKILL");
      const killed = performance.now();
      await rest(goneMs);
      await ours.start(manager.held());
      await ours.observe();
      const backMs = performance.now() - killed;
      expect(keysOf(left)).toEqual(before);
      await rest(12_000);
      const { sent, lost } = await flow.end();
      console.log(`with ${has}, as ${role}, back after ${goneMs} ms: ${lost} of ${sent} lost`);
      expect(keysOf(left)).toEqual(keysOf(right));
      if (has === "memory" && backMs < patienceMs) {
        expect(keysOf(left)).toEqual(before);
        expect(lost).toBe(0);
      }
    },
  );
});

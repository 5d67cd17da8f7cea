// Another program removes or changes what linkseal mka has put into its SecY, under traffic beside
// wpa_supplicant: it is put back or replaced, and no packet number is used twice under a SAK.

import { setTimeout as rest } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { FrameChannel } from "#drivers/transport/frames.ts";
import { WireWatch } from "../../../lab/wire.ts";
import { enterNetwork, ip, ipJson, leaveNetworks, native, until } from "../../lab.ts";
import { address, keyOf, keysOf, makeSecy, Station, secyOf, wire } from "../station.ts";
import { Supplicant } from "../supplicant.ts";
import { Flow, ping } from "../traffic.ts";

afterEach(leaveNetworks);

const suite = "gcm-aes-128";
const key = keyOf("c0ffee", 16);
/** The AN and packet number of the SecTAG: IEEE 802.1AE-2018, 9.5 to 9.8. */
const [tciAt, pnAt, anMask] = [14, 16, 0x03];
const replayed = 100;

interface Removal {
  readonly name: string;
  /** Whether the SAK in use stays. */
  readonly sak: "stays" | "goes";
  /** What another program types after `ip macsec` or `ip link`. */
  readonly lines: (an: number, sci: string) => readonly (readonly string[])[];
}

const removals: readonly Removal[] = [
  {
    name: "the receive channel",
    sak: "stays",
    lines: (_an, sci) => [["macsec", "del", "ms-wire", "rx", "sci", sci]],
  },
  {
    name: "the receive SA",
    sak: "stays",
    lines: (an, sci) => [
      ["macsec", "set", "ms-wire", "rx", "sci", sci, "sa", `${an}`, "off"],
      ["macsec", "del", "ms-wire", "rx", "sci", sci, "sa", `${an}`],
    ],
  },
  {
    name: "the encoding SA's number",
    sak: "stays",
    lines: (an) => [["link", "set", "ms-wire", "type", "macsec", "encodingsa", `${(an + 2) % 4}`]],
  },
  {
    name: "the transmit SA",
    sak: "goes",
    lines: (an) => [
      ["macsec", "set", "ms-wire", "tx", "sa", `${an}`, "off"],
      ["macsec", "del", "ms-wire", "tx", "sa", `${an}`],
    ],
  },
];
const rows = removals.flatMap((removal) =>
  (["server", "member"] as const).map((role) => ({ ...removal, role })),
);

/** Counts packet numbers that frames of one station have twice under one AN. */
class NumberWatch {
  repeated = 0;
  readonly frames: Buffer[] = [];
  readonly #used = new Set<string>();
  readonly watch: WireWatch;

  constructor(network: string) {
    this.watch = new WireWatch(network, "wire", (frame) => {
      const used = `${frame.readUInt8(tciAt) & anMask} ${frame.readUInt32BE(pnAt)}`;
      if (this.#used.has(used)) this.repeated += 1;
      this.#used.add(used);
      if (this.frames.length < replayed) this.frames.push(Buffer.from(frame));
    });
  }
}

/** Sends frames again that were captured before, from the far end's port. */
function replay(network: string, frames: readonly Buffer[]): void {
  enterNetwork(network);
  const [link] = ipJson<readonly { readonly ifindex: number }[]>("link", "show", "wire");
  const quiet = { frame: () => undefined, trouble: () => undefined };
  using channel = new FrameChannel(native, link?.ifindex ?? 0, quiet);
  for (const frame of frames) channel.send(Uint8Array.from(frame));
}

describe("another program takes from the SecY", { timeout: 300_000 }, () => {
  it.each(rows)(
    "$name, ours as $role: repaired within seconds, and no packet number comes twice",
    async ({ role, sak, lines }) => {
      const networks = wire();
      const [left, right] = networks;
      makeSecy(left, { suite, sci: "on", replay: 0 });
      address(left, 0);
      using peer = new Supplicant({ version: "2.11", network: right, key, priority: 32, suite });
      await using ours = new Station(left, { keyServerPriority: role === "server" ? 16 : 64 });
      await ours.add(key);
      const before = await until(async () => await ours.secured());
      address(right, 1, await peer.device());
      const [own, far] = [new NumberWatch(right), new NumberWatch(left)];
      using _own = own.watch;
      using _far = far.watch;
      await rest(4_000);
      const flow = await Flow.begin(networks);
      await rest(2_000);
      const secy = secyOf(left);
      const sci = secy?.rx_sc[0]?.sci ?? "";
      const removedAt = performance.now();
      for (const line of lines(secy?.encoding_sa ?? 0, sci)) ip("-n", left, ...line);
      const isWhole = async (): Promise<boolean | undefined> => {
        const now = await ours.secured();
        if (now === undefined || (now === before) !== (sak === "stays")) return undefined;
        const { sent, taken } = keysOf(left);
        return (sent !== "" && taken.includes(sent)) || undefined;
      };
      await until(isWhole);
      const tookMs = Math.round(performance.now() - removedAt);
      await rest(7_000);
      const { sent, lost } = await flow.end();
      console.log(`as ${role}: repaired after ${tookMs} ms, ${lost} of ${sent} lost`);
      console.log(ours.log.filter((line) => line.startsWith("mka-secy")).join("\n"));
      expect(tookMs).toBeLessThan(sak === "goes" && role === "member" ? 15_000 : 5_000);
      expect(keysOf(left)).toEqual(keysOf(right));
      expect(await ping(left, "10.0.0.2")).toBe(5);
      expect([own.repeated, far.repeated]).toEqual([0, 0]);
      expect(ours.log.filter((line) => line.startsWith("mka-secy-changed"))).toHaveLength(1);
      // What was accepted before is not accepted again.
      const accepted = (): number => secyOf(left)?.rx_sc[0]?.InPktsOK ?? 0;
      const was = accepted();
      replay(right, far.frames);
      await rest(500);
      expect(far.frames).toHaveLength(replayed);
      expect(accepted() - was).toBeLessThan(5);
    },
  );
});

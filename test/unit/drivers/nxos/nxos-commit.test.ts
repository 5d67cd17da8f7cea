// What a change on a switch with NX-OS leaves behind: the lines, and never a checkpoint, because it
// contains keys.

import { describe, expect, it } from "vitest";
import type { Device, DeviceChange, Transaction } from "#hal/device.ts";
import { type Command, preview, Secret } from "#hal/secret.ts";
import { channelTo } from "#sim/lab/emulator-channel.ts";
import { placeOf, platforms, wayOf } from "../../../conformance/place.ts";
import { never, refused, settled } from "../../kit/site-bench.ts";
import { addKey, protect } from "../change-kit.ts";
import { port } from "./nxos-kit.ts";

const platform = platforms["C9336C-FX2 9.3.6"];
const change: DeviceChange = [
  protect(port(1), { suite: "gcm-aes-xpn-256", replayWindow: 64 }),
  addKey(port(1), 1, "primary"),
];

interface Bench {
  readonly sent: string[];
  readonly checkpoints: () => readonly string[];
  readonly running: () => string;
  readonly prepare: () => Promise<Transaction>;
  readonly apply: (transaction: Transaction) => Promise<void>;
  /**
   * The next line that begins so is answered otherwise, after those before: the session ends, or
   * the answer stays as it is, or it is this text.
   */
  readonly spoil: (line: string, answer: "end" | "asItIs" | { readonly text: string }) => void;
  readonly type: (...lines: readonly string[]) => Promise<string>;
}

async function bench(): Promise<Bench> {
  const place = placeOf(platform);
  const { rig, emulator } = place;
  const target = { device: rig.router.name, address: "192.0.2.1" };
  const sent: string[] = [];
  const spoilt: Parameters<Bench["spoil"]>[] = [];
  const way = wayOf(
    place,
    target,
    async (to) => {
      let answer: string | undefined;
      const inner = channelTo(to.device, (wire) =>
        emulator.connect({
          ...wire,
          send: (octets) => {
            const text = new TextDecoder().decode(octets);
            const isReply = answer !== undefined && text.endsWith("# ");
            const prompt = text.split("\r\n").at(-1);
            const other = isReply ? `${answer}\r\n${prompt}` : text;
            if (isReply) answer = undefined;
            wire.send(Buffer.from(other));
          },
        }),
      );
      return {
        ...inner,
        write: async (command: Command, signal: AbortSignal) => {
          const text = preview(command).trim();
          await inner.write(command, signal);
          const [line, wanted] = spoilt[0] ?? [];
          if (line === undefined || !text.startsWith(line)) return;
          spoilt.shift();
          if (wanted === "end") await inner[Symbol.asyncDispose]();
          else if (typeof wanted === "object") answer = wanted.text;
        },
      };
    },
    (command) => void sent.push(preview(command).trim()),
  );
  const device: Device = await settled(rig.clock, way.open());
  const keys = async () => Secret.take("cak", new Uint8Array(32).fill(7));
  return {
    sent,
    checkpoints: () => [...emulator.checkpoints.keys()],
    running: () => JSON.stringify(emulator.current),
    prepare: () => settled(rig.clock, device.prepare(change, keys, never)),
    apply: (transaction) => settled(rig.clock, transaction.apply("final", never)),
    spoil: (...one) => void spoilt.push(one),
    type: async (...lines) => {
      let printed = "";
      const session = emulator.connect({
        send: (octets) => {
          printed += new TextDecoder().decode(octets);
        },
        close: () => undefined,
      });
      for (const one of lines) {
        printed = "";
        session?.receive(new TextEncoder().encode(`${one}\n`));
        await rig.clock.runFor(60_000, () => printed.endsWith("# "));
      }
      session?.gone();
      return printed;
    },
  };
}

describe("a change on a switch with NX-OS", () => {
  it("is taken under a checkpoint, verified and saved, and no checkpoint is left", async () => {
    const { sent, checkpoints, prepare, apply } = await bench();
    const transaction = await prepare();
    sent.length = 0;
    await apply(transaction);
    const name = `linkseal-${transaction.token}`;
    const steps = sent.filter((one) => /checkpoint|^configure|^end$|^copy|^show running/.test(one));
    expect(steps.map((one) => one.replace(/ \| .*/, ""))).toEqual([
      "show checkpoint summary",
      ...["show running-config", "show running-config interface", "show running-config bgp"],
      ...[`checkpoint ${name}`, "configure terminal", "end"],
      ...["show running-config", "show running-config interface", "show running-config bgp"],
      ...[`no checkpoint ${name}`, "copy running-config startup-config"],
    ]);
    expect(checkpoints()).toEqual([]);
  });

  it("is put back whole if a line is refused, and no checkpoint is left", async () => {
    const { running, checkpoints, spoil, prepare, apply } = await bench();
    const before = running();
    const transaction = await prepare();
    spoil("macsec keychain", { text: "ERROR: the port does not support MACsec" });
    const error = await refused(apply(transaction));
    expect([error.code, error.effect]).toEqual(["device.rejected", "none"]);
    expect(running()).toBe(before);
    expect(checkpoints()).toEqual([]);
  });

  it("is put back if the configuration afterwards is another", async () => {
    const { running, checkpoints, spoil, prepare, apply } = await bench();
    const before = running();
    const transaction = await prepare();
    // The switch says nothing, and does not have the line.
    spoil("end", "asItIs");
    spoil("show running-config interface", { text: "version 9.3(6)\r\ninterface Ethernet1/1" });
    const error = await refused(apply(transaction));
    expect(error.effect).toBe("none");
    expect(error.message).toContain("its configuration is not what was wanted");
    expect(running()).toBe(before);
    expect(checkpoints()).toEqual([]);
  });

  it("has an unknown effect if the switch does not say that it is put back", async () => {
    const { spoil, sent, checkpoints, prepare, apply } = await bench();
    const transaction = await prepare();
    spoil("macsec keychain", { text: "ERROR: the port does not support MACsec" });
    spoil("rollback", { text: "Rollback Failed." });
    const error = await refused(apply(transaction));
    expect(error.effect).toBe("unknown");
    expect(sent.some((one) => one.startsWith("rollback running-config checkpoint "))).toBe(true);
    await prepare();
    expect(checkpoints()).toEqual([]);
  });

  it("that died with its session leaves a checkpoint until the next one", async () => {
    const { checkpoints, spoil, prepare, apply } = await bench();
    const transaction = await prepare();
    spoil("key chain", "end");
    const error = await refused(apply(transaction));
    expect(error.effect).toBe("unknown");
    expect(checkpoints()).toHaveLength(1);
    await prepare();
    expect(checkpoints()).toEqual([]);
  });

  it("leaves the checkpoints of operators alone", async () => {
    const { checkpoints, type, prepare, apply } = await bench();
    await type("checkpoint before-work");
    await apply(await prepare());
    expect(checkpoints()).toEqual(["before-work"]);
  });

  it("with keys is refused while commands are sent to an accounting server", async () => {
    const { type, sent, prepare } = await bench();
    await type("configure terminal", "aaa accounting default group TAC", "end");
    const error = await refused(prepare());
    expect(error.message).toContain("accounting server");
    expect(sent.filter((one) => one.startsWith("configure"))).toEqual([]);
  });
});

describe("a switch with NX-OS", () => {
  it("keeps ten checkpoints with unique names, and none with a name of its own", async () => {
    const { type } = await bench();
    const ten = Array.from({ length: 10 }, (_, index) => `checkpoint c${index}`);
    await type(...ten);
    expect(await type("checkpoint c10")).toContain("ERROR");
    expect(await type("checkpoint system-mine")).toContain("ERROR");
    expect(await type("no checkpoint c9")).not.toContain("ERROR");
    expect(await type("checkpoint c0")).toContain("ERROR");
    expect(await type("show checkpoint summary")).toContain("1) c0:");
  });

  it("does not overwrite an octet string, and prints it in its hidden form", async () => {
    const { type } = await bench();
    const key = (octet: string) =>
      `key-octet-string ${octet.repeat(32)} cryptographic-algorithm AES_256_CMAC`;
    await type("configure terminal", "key chain A macsec", "key 0A01", key("0b"), "end");
    const again = await type("configure terminal", "key chain A macsec", "key 0A01", key("0c"));
    expect(again).toContain("ERROR");
    const shown = await type("show running-config");
    expect(shown).toContain('key-octet-string 7 "');
    expect(shown).not.toContain("0b0b0b");
  });

  it("refuses a word that it does not know, and a chain that is not there", async () => {
    const { type } = await bench();
    expect(await type("show mka sessions detail")).toContain("% Invalid command");
    const attach = "macsec keychain NONE policy system-default-macsec-policy";
    expect(await type("configure terminal", `interface ${port(1)}`, attach)).toContain("ERROR");
  });
});

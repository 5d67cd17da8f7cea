// What a router with IOS XR takes, keeps and refuses at a commit, and what the driver makes of it.

import { describe, expect, it } from "vitest";
import type { DeviceChange } from "#hal/device.ts";
import { Secret } from "#hal/secret.ts";
import { IosxrEmulator } from "#sim/emulators/iosxr.ts";
import { channelTo } from "#sim/lab/emulator-channel.ts";
import type { Router } from "#sim/router/router.ts";
import { placeOf, platforms, wayOf } from "../../../conformance/place.ts";
import { buildRig } from "../../../conformance/rig.ts";
import { never, refused, settled } from "../../kit/site-bench.ts";
import { addKey, protect } from "../change-kit.ts";
import { port } from "../iosxr-kit.ts";

/** In the shortest layout, so that what is typed has no reply but its own. */
const platform = {
  ...platforms["8201-32FH 7.11.2"],
  emulatorOf: (router: Router) =>
    new IosxrEmulator(router, { platform: "8201-32FH", version: "7.11.2", wiring: {} }),
};
const prompt = /(?:RP\/0\/RP0\/CPU0:\S+#|\[no\]: )$/;

/** A router at which persons type: `open` begins a session of one, `cut` ends its connection. */
function routerOfPersons() {
  const rig = buildRig(placeOf(platform).rig.router.options.capabilities, platform.ports);
  const emulator = platform.emulatorOf(rig.router);
  const open = () => {
    let printed = "";
    const session = emulator.connect({
      send: (octets) => {
        printed += new TextDecoder().decode(octets);
      },
      close: () => undefined,
    });
    const type = async (line: string): Promise<string> => {
      printed = "";
      session?.receive(new TextEncoder().encode(`${line}\n`));
      await rig.clock.runFor(60_000, () => prompt.test(printed));
      return printed.replaceAll("\r", "").split("\n").slice(1, -1).join("\n");
    };
    return { type, cut: () => session?.gone() };
  };
  return { rig, emulator, open };
}

const typing = () => routerOfPersons().open().type;

/** What identifies sessions, processes and times is replaced. */
const plain = (text: string): string =>
  text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}/g, "ID")
    .replaceAll(/\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+ UTC| \d{4})/g, "TIME")
    .replaceAll(/(?<=PID: )\d+|\d+(?= sec\.)/g, "N");

describe("a router with IOS XR", () => {
  it("a router accepts a label for an unconfirmed commit, but no comment", async () => {
    const type = typing();
    await type("configure exclusive");
    await type("interface HundredGigE0/0/0/0");
    await type("description one");
    expect(await type("commit confirmed 60 comment ours")).toContain("% Invalid input");
    expect(await type("commit label 1ours confirmed 60")).toContain("% Invalid input");
    expect(await type(`commit label ${"l".repeat(21)}`)).toContain("% Failed to commit");
    expect(await type("commit label ours confirmed 60")).not.toContain("%");
    expect(await type("commit")).toBe("\n% Confirming commit for trial session.");
    await type("description two");
    expect(await type("commit label ours")).toContain("% Failed to commit");
    expect(await type("commit label others")).not.toContain("%");
    expect(await type("commit")).toContain("% No configuration changes to commit");
    const list = await type("do show configuration commit list 20 detail");
    expect([...list.matchAll(/Label: (\S+)/g)].map(([, label]) => label)).toEqual([
      "others",
      "ours",
      "NONE",
    ]);
  });

  it("a router stores and commits a line that begins with an exclamation mark", async () => {
    const type = typing();
    await type("terminal exec prompt no-timestamp");
    expect(await type("! nothing")).toBe("");
    await type("configure exclusive");
    await type("!");
    expect(await type("commit")).toContain("% No configuration changes to commit");
    await type("! 0123456789abcdef");
    await type("interface HundredGigE0/0/0/0");
    await type("! of a port");
    expect(await type("commit")).not.toContain("%");
    expect(await type("do show running-config interface")).toContain(" ! of a port");
    expect(await type("do show clock | include fedcba9876543210")).toBe("");
  });
});

describe("a trial on a router with IOS XR", () => {
  const begun = async () => {
    const router = routerOfPersons();
    const { type, cut } = router.open();
    await type("terminal exec prompt no-timestamp");
    await type("configure exclusive");
    await type("interface HundredGigE0/0/0/0");
    await type("description one");
    const locked = plain(await type("do show configuration sessions"));
    await type("commit label ours confirmed 60");
    const other = router.open().type;
    await other("terminal exec prompt no-timestamp");
    const isThere = (): boolean => router.emulator.show("running-config").includes("one");
    const newest = (): string | undefined =>
      /Client: {3}(\S+)/.exec(router.emulator.show("configuration commit list 20 detail"))?.[1];
    return { ...router, type, cut, other, locked, isThere, newest };
  };

  it("a trial shows no lock, and a session of its own in the list with details", async () => {
    const { other, locked } = await begun();
    const head = "Current Configuration Session  Line       User     Date                     Lock";
    expect(locked).toBe(`${head}\nID     vty0       linkseal TIME *`);
    const row = "ID     vty0       linkseal TIME";
    expect(plain(await other("show configuration sessions")).replaceAll(/ +$/gm, "")).toBe(
      [head, row, row].join("\n"),
    );
    expect(plain(await other("show configuration sessions detail"))).toBe(
      [
        "",
        "  1) Session: ID  TIME ",
        "     Line: vty0                           Lock: None",
        "     User: linkseal                       Client: CLI",
        "     Process: config                      PID: N",
        "     Node:                                Elapsed Time: N sec.",
        "",
        "  2) Session: ID  TIME ",
        "     Line: vty0                           Lock: None",
        "     User: linkseal                       Client: commit-confirm",
        "     Process: cfgmgr_trial_co             PID: N",
        "     Node:                                Elapsed Time: N sec.",
      ].join("\n"),
    );
  });

  it("another session can neither confirm a trial nor commit beside it", async () => {
    const { other } = await begun();
    expect(await other("configure exclusive")).toContain("A trial commit is underway in another");
    await other("configure");
    expect(await other("commit")).toContain("No configuration changes to commit.");
    await other("interface HundredGigE0/0/0/1");
    await other("description two");
    expect(await other("commit")).toContain("% Cannot commit because there is an unexpired trial");
  });

  it("a trial whose connection is cut stays until its timer, which leaves an entry", async () => {
    const { rig, cut, other, isThere, newest } = await begun();
    cut();
    await rig.clock.runFor(40_000);
    expect(isThere()).toBe(true);
    expect(await other("show configuration sessions detail")).toContain("commit-confirm");
    await rig.clock.runFor(40_000);
    expect(await other("show configuration sessions detail")).not.toContain("commit-confirm");
    expect(isThere()).toBe(false);
    expect(newest()).toBe("Rollback");
  });

  it("the end of its session ends a trial at once if a router's question is answered", async () => {
    const { type, isThere, newest } = await begun();
    expect(await type("end")).toContain("the router will immediately rollback");
    await type("no");
    expect(isThere()).toBe(true);
    await type("end");
    await type("yes");
    expect(isThere()).toBe(false);
    expect(newest()).toBe("Rollback");
    expect(await type("show configuration sessions detail")).toBe("");
  });
});

describe("a commit of the driver", () => {
  const change: DeviceChange = [protect(port(0)), addKey(port(0), 1, "primary")];

  const keys = async () => Secret.take("cak", new Uint8Array(32).fill(7));

  /** `hear`: what becomes of what the router says. */
  async function committed(hear: (text: string) => string) {
    const place = placeOf(platform);
    const { rig, emulator } = place;
    const target = { device: rig.router.name, address: "192.0.2.1" };
    const lines: string[] = [];
    const way = wayOf(place, target, async (to) => {
      const inner = channelTo(to.device, (wire) =>
        emulator.connect({
          ...wire,
          send: (octets) => wire.send(Buffer.from(hear(new TextDecoder().decode(octets)))),
        }),
      );
      return {
        ...inner,
        write: async (text, signal) => {
          lines.push(
            text
              .map((part) => (typeof part === "string" ? part : "KEY"))
              .join("")
              .trim(),
          );
          await inner.write(text, signal);
        },
      };
    });
    const device = await settled(rig.clock, way.open());
    const transaction = await settled(rig.clock, device.prepare(change, keys, never));
    return { rig, device, transaction, lines, open: way.open };
  }

  it("a commit is unconfirmed under a label made from its token, and found by it", async () => {
    const { rig, device, transaction, lines } = await committed((text) => text);
    await settled(rig.clock, transaction.apply(60_000, never));
    const label = `ls-${transaction.token}`;
    expect(lines.filter((one) => one.startsWith("commit"))).toEqual([
      `commit label ${label} confirmed 60`,
    ]);
    // An ASR 9000 refuses a longer one.
    expect(label.length).toBeLessThanOrEqual(20);
    const recalled = await settled(rig.clock, device.recall(transaction.token, never));
    expect(recalled.kind).toBe("pending");
    const before = lines.length;
    await settled(rig.clock, transaction.confirm(never));
    const since = lines.slice(before).filter((one) => !one.startsWith("do show clock |"));
    const reading = ["sessions detail", "commit list 20 detail"].map(
      (what) => `do show configuration ${what}`,
    );
    expect(since).toEqual([...reading, "commit", ...reading]);
    await device[Symbol.asyncDispose]();
  });

  it("a trial that is taken back is given up by the answer to the router's question", async () => {
    const { rig, device, transaction, lines } = await committed((text) => text);
    await settled(rig.clock, transaction.apply(60_000, never));
    const before = lines.length;
    await settled(rig.clock, transaction.rollback(never));
    expect(lines.slice(before).filter((one) => /^(?:end|yes|abort)$/.test(one))).toEqual([
      "end",
      "yes",
    ]);
    await device[Symbol.asyncDispose]();
  });

  it("a confirm that the router does not answer as one is not done", async () => {
    const { rig, device, transaction } = await committed((text) =>
      text.replace("% Confirming commit for trial session.", "% Nothing to say about that."),
    );
    await settled(rig.clock, transaction.apply(60_000, never));
    const error = await refused(settled(rig.clock, transaction.confirm(never)));
    expect(error).toMatchObject({ code: "device.rejected", effect: "unknown" });
    await device[Symbol.asyncDispose]();
  });

  it("a trial that the router does not show is not waiting for nothing", async () => {
    const { rig, device, transaction } = await committed((text) =>
      text.replace("Client: commit-confirm", "Client: CLI           "),
    );
    const control = async () => (await settled(rig.clock, device.observe(never))).control;
    const error = await refused(settled(rig.clock, transaction.apply(60_000, never)));
    expect(error).toMatchObject({ code: "device.rejected", effect: "unknown" });
    expect(await control()).toMatchObject({ kind: "unknown" });
    // Another commit would confirm it in passing.
    const other = await refused(settled(rig.clock, device.prepare(change, keys, never)));
    expect(other.code).toBe("device.locked");
    await rig.clock.runFor(120_000);
    expect(await control()).toMatchObject({ kind: "known", value: { commitPending: false } });
    await device[Symbol.asyncDispose]();
  });

  it("a trial of a process that has ended is found, and left to the router's timer", async () => {
    const { rig, device, transaction, open } = await committed((text) => text);
    await settled(rig.clock, transaction.apply(60_000, never));
    await device[Symbol.asyncDispose]();
    await using next = await settled(rig.clock, open());
    const control = async () => (await settled(rig.clock, next.observe(never))).control;
    const recall = () => settled(rig.clock, next.recall(transaction.token, never));
    expect(await control()).toMatchObject({ value: { commitPending: true } });
    expect(await recall()).toEqual({ kind: "expiring" });
    const refusal = await refused(settled(rig.clock, next.prepare(change, keys, never)));
    expect(refusal.code).toBe("device.locked");
    await rig.clock.runFor(60_000);
    expect(await control()).toMatchObject({ value: { commitPending: false } });
    expect(await recall()).toEqual({ kind: "absent" });
  });

  it("a commit that the router accepts and does not list is not a success", async () => {
    const { rig, device, transaction } = await committed((text) =>
      text.replace(/Label: ls-[0-9a-f]{16}/, "Label: NONE"),
    );
    const error = await refused(settled(rig.clock, transaction.apply(60_000, never)));
    expect(error).toMatchObject({ code: "device.rejected", effect: "unknown" });
    expect(error.message).toContain("does not list it");
    await device[Symbol.asyncDispose]();
  });
});

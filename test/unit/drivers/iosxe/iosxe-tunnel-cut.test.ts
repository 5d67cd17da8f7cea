// Tunnels at a router without an archive, where a change is cut off and then repeated.

import { describe, expect, it } from "vitest";
import type { IosxeEmulator } from "#sim/emulators/iosxe.ts";
import { CutRouter, xeWithoutArchive } from "../cut-kit.ts";
import { put, take } from "../tunnel-kit.ts";

const at = { localAddress: "198.51.100.1" };

/** Our lines of tunnels that are configured. */
function linesOn({ place: { emulator } }: CutRouter<IosxeEmulator>): readonly string[] {
  const all = emulator.current.map(({ line }) => line);
  return all.filter((line) => /^(?:crypto |interface Tunnel|ip route .* Tunnel)/.test(line));
}

async function cutOff(
  before: readonly ReturnType<typeof put>[],
  cut: ReturnType<typeof put>,
  line: RegExp,
) {
  const router = new CutRouter(xeWithoutArchive());
  const first = await router.open();
  for (const each of before) await router.make(first, [each]);
  await router.cut(first, [cut], line);
  await first[Symbol.asyncDispose]();
  return { router, device: await router.open() };
}

describe("a tunnel that was cut off", () => {
  // It was refused for ever, because its own objects counted as the operator's.
  it.each([
    /^crypto ikev2 keyring/,
    /^peer /,
    /^address /,
    /^pre-shared-key /,
    /^crypto ikev2 profile/,
    /^keyring local/,
    /^crypto ipsec transform-set/,
    /^crypto ipsec profile/,
    /^set ikev2-profile/,
    /^interface Tunnel/,
    /^tunnel protection/,
    /^ip route/,
  ])("is put by the repeated put: at %s", async (line) => {
    const whole = new CutRouter(xeWithoutArchive());
    await using there = await whole.open();
    await whole.make(there, [put(at)]);
    const { router, device } = await cutOff([], put(at), line);
    await using _ = device;
    await router.make(device, [put(at)]);
    const numbered = linesOn(router).map((one) => one.replace(/Tunnel\d+/, "Tunnel1"));
    expect(numbered.toSorted()).toEqual([...linesOn(whole)].toSorted());
    expect((await router.make(device, [put(at)])).preview).toBe("");
  });

  // The repeated removal reported done, and the PSK stayed on the router.
  it.each([
    /^no interface/,
    /^no crypto ipsec profile/,
    /^no crypto ipsec transform-set/,
    /^no crypto ikev2 profile/,
    /^no crypto ikev2 keyring/,
    /^no crypto ikev2 policy/,
  ])("is removed by the repeated removal: at %s", async (line) => {
    const { router, device } = await cutOff([put(at)], take(), line);
    await using _ = device;
    await router.make(device, [take()]);
    const left = linesOn(router).filter((one) => !/ (?:policy|proposal) /.test(one));
    expect(left).toEqual([]);
    await router.make(device, [put(at)]);
    expect((await router.make(device, [put(at)])).preview).toBe("");
  });

  it("is left alone if another object refers to its keyring", async () => {
    const { router, device } = await cutOff([], put(at), /^crypto ipsec transform-set/);
    await using _ = device;
    const other = ["crypto ikev2 profile OPS", "keyring local hub-1"];
    await router.type("enable", "configure terminal", ...other, "end");
    await expect(router.make(device, [put(at)])).rejects.toMatchObject({ code: "device.rejected" });
  });

  it("is never a keyring of the operator's, which has no remark of ours", async () => {
    const router = new CutRouter(xeWithoutArchive());
    await using device = await router.open();
    const own = ["crypto ikev2 keyring hub-1", "peer hub-1", "address 203.0.113.1"];
    await router.type("enable", "configure terminal", ...own, "end");
    await expect(router.make(device, [put(at)])).rejects.toMatchObject({ code: "device.rejected" });
    await router.make(device, [take()]);
    expect(linesOn(router)).toEqual(["crypto ikev2 keyring hub-1"]);
  });
});

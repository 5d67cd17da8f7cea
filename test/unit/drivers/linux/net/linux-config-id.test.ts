import { describe, expect, it } from "vitest";
import type { KernelObservation } from "#drivers/linux/macsec/port.ts";
import { configIdOf } from "#drivers/linux/net/config-id.ts";

const observation = (secy: object): KernelObservation =>
  ({
    ...{ at: 0, addresses: [], routes: [], speeds: [] },
    links: [{ index: 2, name: "p1", flags: 1, mtu: 1500, info: { kind: "veth" } }],
    secys: [{ link: 3, secy: { encodingSa: 0, oper: false, window: 64, encrypt: true, ...secy } }],
  }) as unknown as KernelObservation;

describe("the id of a Linux host's configuration", () => {
  const id = configIdOf(observation({}));

  it.each([
    ["MKA puts the next SAK into use", { encodingSa: 1 }],
    ["the SecY begins to operate", { oper: true }],
  ])("the config id stays when %s", (_name, secy) => {
    expect(configIdOf(observation(secy))).toBe(id);
  });

  it.each([
    ["encryption is switched off", { encrypt: false }],
    ["the replay window is another one", { window: 0 }],
  ])("the config id changes when %s", (_name, secy) => {
    expect(configIdOf(observation(secy))).not.toBe(id);
  });
});

// The hardware port of the far end, and the ways in which it differs from the settings that the
// management API was given.

import type { MacsecSettings } from "#hal/model.ts";
import { type Ckn, parseCkn } from "#hal/model.ts";
import type { Prng } from "../base/prng.ts";
import type { EndpointFault, EndpointKey, PortEndpoint } from "../mka/port-endpoint.ts";
import { sameBytes, sameSettings } from "../router/router-config.ts";
import type { FarEndpoint } from "./msee.ts";

/** The property in which the hardware differs from its settings. */
export type FarTwist = "cak" | "ckn" | "suite" | "sci";

export class FarPort implements FarEndpoint {
  readonly #endpoint: PortEndpoint;
  readonly #changed: () => void;
  readonly #wrongCak: Uint8Array;
  readonly #wrongCkn: Ckn;
  readonly #twists = new Set<FarTwist>();
  #settings: MacsecSettings | undefined;
  #key: EndpointKey | undefined;
  #revision = 0;

  /** `changed` is called after every change of the hardware. */
  constructor(endpoint: PortEndpoint, prng: Prng, changed: () => void) {
    this.#endpoint = endpoint;
    this.#changed = changed;
    this.#wrongCak = prng.bytes(32);
    const ckn = parseCkn(prng.hex(32));
    if (ckn === undefined) throw new RangeError("a drawn CKN must parse");
    this.#wrongCkn = ckn;
  }

  /** Returns a number that grows with every change of the hardware's behaviour. */
  revision(): number {
    return this.#revision;
  }

  configure(settings: MacsecSettings | undefined): void {
    if (!sameSettings(settings, this.#settings)) this.#revision += 1;
    this.#settings = settings;
    this.#endpoint.configure(this.#twistedSettings());
    this.#changed();
  }

  putKey(key: EndpointKey): void {
    const before = this.#key;
    if (before?.ckn !== key.ckn || !sameBytes(before.cak, key.cak)) this.#revision += 1;
    this.#key = key;
    this.#endpoint.putKey(this.#twistedKey(key));
    this.#changed();
  }

  removeKey(ckn: Ckn): void {
    if (this.#key?.ckn !== ckn) return;
    this.#revision += 1;
    this.#endpoint.removeKey(this.#twistedKey(this.#key).ckn);
    this.#key = undefined;
    this.#changed();
  }

  setAdmin(up: boolean): void {
    if (up !== this.#endpoint.adminUp()) this.#revision += 1;
    this.#endpoint.setAdmin(up);
    this.#changed();
  }

  setFault(fault: EndpointFault, on: boolean): void {
    this.#revision += 1;
    this.#endpoint.setFault(fault, on);
    this.#changed();
  }

  /** Makes the hardware differ from its settings in one property; off restores it. */
  setTwist(twist: FarTwist, on: boolean): void {
    const key = this.#key;
    this.#revision += 1;
    if (key !== undefined) this.#endpoint.removeKey(this.#twistedKey(key).ckn);
    if (on) this.#twists.add(twist);
    else this.#twists.delete(twist);
    this.#endpoint.configure(this.#twistedSettings());
    if (key !== undefined) this.#endpoint.putKey(this.#twistedKey(key));
    this.#changed();
  }

  #twistedKey(key: EndpointKey): EndpointKey {
    const cak = this.#twists.has("cak") ? this.#wrongCak.subarray(0, key.cak.length) : key.cak;
    return { ...key, cak, ckn: this.#twists.has("ckn") ? this.#wrongCkn : key.ckn };
  }

  #twistedSettings(): MacsecSettings | undefined {
    const settings = this.#settings;
    if (settings === undefined) return undefined;
    const suite = this.#twists.has("suite") ? otherSuite(settings.suite) : settings.suite;
    const includeSci = this.#twists.has("sci") ? !settings.includeSci : settings.includeSci;
    return { ...settings, suite, includeSci };
  }
}

// The key length stays the same, so that the key still fits and only the suite is wrong.
function otherSuite(suite: MacsecSettings["suite"]): MacsecSettings["suite"] {
  switch (suite) {
    case "gcm-aes-128":
      return "gcm-aes-xpn-128";
    case "gcm-aes-256":
      return "gcm-aes-xpn-256";
    case "gcm-aes-xpn-128":
      return "gcm-aes-128";
    case "gcm-aes-xpn-256":
      return "gcm-aes-256";
  }
}

// Changes of a port, and what is refused of them.

import type { PortChange, WantedPort } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { WantedSettings } from "#hal/model.ts";
import { cknOf, keyOf } from "./junos-kit.ts";

const settings = {
  suite: "gcm-aes-xpn-256",
  includeSci: true,
  confidentialityOffset: 0,
  keyServerPriority: 16,
  replayWindow: 64,
  sakRekeyMs: undefined,
} as const;

export const protect = (port: string, over: Partial<WantedSettings> = {}): PortChange => ({
  kind: "macsec.protect",
  port,
  settings: { ...settings, ...over },
});

export const addKey = (port: string, n: number, role: "primary" | "fallback"): PortChange => ({
  kind: "macsec.addKey",
  port,
  key: keyOf(n),
  role,
});

/** A port as the kits have configured it, with key `n`. */
export const wantedPort = (port: string, n: number): WantedPort => ({
  port,
  settings: { ...settings, keyServerPriority: 20 },
  ckn: cknOf(n),
  drain: undefined,
});

/** What it throws. */
export function refusalIn(run: () => unknown): LinksealError {
  try {
    run();
  } catch (error) {
    if (error instanceof LinksealError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

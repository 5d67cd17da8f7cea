// Words of Azure for values of the model.

import type { CipherSuite } from "#hal/model.ts";
import type { AzureSettings } from "./desired.ts";

/** Returns a suite as Azure spells it, such as `GcmAesXpn256`. */
export function azureCipher(suite: CipherSuite): string {
  return suite.replaceAll(/(?:^|-)(.)/g, (_all, letter: string) => letter.toUpperCase());
}

/** The names of the clouds for `az cloud set`; undefined = az has no cloud of that name. */
export const azClouds: Readonly<Record<AzureSettings["cloud"], string | undefined>> = {
  public: "AzureCloud",
  usgovernment: "AzureUSGovernment",
  china: "AzureChinaCloud",
  loopback: undefined,
  sim: undefined,
};

// A simulated router has no command line.

import { type ByHand, noHandLines } from "#hal/by-hand.ts";

const none = noHandLines(
  "A simulated router has no command line: `linkseal sim fault --list` shows what can be struck " +
    "and healed there.",
);

/** The answer for a simulated router. */
export const simByHand: ByHand = {
  showMacsec: () => none,
  showPort: () => none,
  showBgp: () => none,
  showTunnel: () => none,
  openPort: () => none,
  restartMka: () => none,
  putKey: () => none,
  macsecOff: () => none,
  undrain: () => none,
  save: () => none,
};

// The names of our own objects in a configuration of IOS XE.

import { portNames } from "../platform/cisco-config.ts";

/**
 * Interface types of ports that can face a provider, with the letters by which tables abbreviate
 * them.
 */
const kinds: Readonly<Record<string, string>> = {
  GigabitEthernet: "Gi",
  TenGigabitEthernet: "Te",
  TwentyFiveGigE: "Twe",
  FortyGigabitEthernet: "Fo",
  FiftyGigE: "Fi",
  HundredGigE: "Hu",
  FourHundredGigE: "FH",
};

/** A management port has a single number. */
export const { isPort, ownName } = portNames(kinds, /^([A-Za-z]+)(\d{1,3}(?:\/\d{1,3}){1,3})$/);

/** A variable of the event manager that no policy reads: configuration without an effect. */
export const markName = "linkseal_commit";

// The platforms that a simulated router can be of, by the name of their driver.

import type { Router } from "#sim/router.ts";
import type { Doors } from "#sim/serve-ssh.ts";
import type { RouterModel } from "#sim/site-plan.ts";
import { EosFace, eosModel } from "./eos.ts";
import { JunosFace, junosModel } from "./junos.ts";

interface SimulatedPlatform {
  readonly model: RouterModel;
  readonly doorsOf: (router: Router) => Doors;
  /** What a person gives to `ssh` behind the port. */
  readonly login: string;
}

export const simulatedPlatforms = {
  junos: {
    model: junosModel,
    doorsOf: (router) => {
      const face = new JunosFace(router);
      return { connect: (wire) => face.connect(wire) };
    },
    login: "-s linkseal@127.0.0.1 netconf",
  },
  eos: {
    model: eosModel,
    doorsOf: (router) => {
      const face = new EosFace(router);
      return {
        shell: (wire) => face.connect(wire),
        execute: (wire, command) => face.execute(wire, command),
      };
    },
    login: "linkseal@127.0.0.1",
  },
} as const satisfies Readonly<Record<string, SimulatedPlatform>>;

// Wrong devices for the cases of tunnels.

import type { IpsecTunnel, Routing } from "#hal/model.ts";
import {
  afterPart,
  altered,
  drops,
  forces,
  moves,
  recreateTunnels,
  reports,
  sendsPart,
  type Wrong,
  type WrongTable,
} from "./wrong-kit.ts";

export function routed(alter: (routing: Routing) => Routing): Wrong {
  return reports((state) => ({ ...state, routing: altered(state.routing, alter) }));
}

function tunnelled(alter: (tunnel: IpsecTunnel) => IpsecTunnel): Wrong {
  return reports((state) => ({ ...state, ipsec: state.ipsec.map(alter) }));
}

/** A tunnel that was told once is told for ever. */
const ghosts: Wrong = {
  spoil: (device, rig) => {
    const seen = new Map<string, IpsecTunnel>();
    return reports((state) => {
      for (const tunnel of state.ipsec) seen.set(tunnel.name, tunnel);
      return { ...state, ipsec: [...seen.values()] };
    }).spoil(device, rig);
  },
};

/** Of a tunnel that is put a second time: other prefixes than it was put with. */
function routesAgain(
  mix: (first: readonly string[], now: readonly string[]) => readonly string[],
): Wrong {
  let first: readonly string[] | undefined;
  return sendsPart((part) => {
    if (part.kind !== "ipsec.putTunnel") return part;
    first ??= part.tunnel.remotePrefixes;
    const remotePrefixes = mix(first, part.tunnel.remotePrefixes);
    return { ...part, tunnel: { ...part.tunnel, remotePrefixes } };
  });
}

export const wrongTunnels: WrongTable = {
  "tunnel: comes up and is reported as it is": [
    tunnelled((tunnel) => ({
      ...tunnel,
      sas: altered(tunnel.sas, (sas) => sas.filter(({ direction }) => direction === "out")),
    })),
    tunnelled((tunnel) => ({
      ...tunnel,
      sas: altered(tunnel.sas, (sas) =>
        sas.map((sa) => ({ ...sa, transforms: { ...sa.transforms, dhGroup: "modp2048" } })),
      ),
    })),
    routed((routing) => ({ ...routing, routes: [] })),
  ],
  "tunnel: put again changes nothing": [afterPart("ipsec.putTunnel", recreateTunnels)],
  "tunnel: other settings take effect": [
    routesAgain((first) => first),
    routesAgain((first, now) => [...new Set([...first, ...now])]),
    afterPart("ipsec.putTunnel", recreateTunnels),
  ],
  "tunnel: a change of its path leaves its SAs alone": [
    afterPart("ipsec.putTunnel", recreateTunnels),
  ],
  "tunnel: removing one that is not there changes nothing": [
    sendsPart((part) => (part.kind === "ipsec.removeTunnel" ? { ...part, name: "hub-1" } : part)),
  ],
  "tunnel: removed is gone": [drops("ipsec.removeTunnel"), ghosts],
  "tunnel: reverts in time without a confirm": [
    moves((inner) => ({ apply: (_within, signal) => inner.apply("final", signal) })),
  ],
  "tunnel: child rekey interrupts nothing": [
    drops("ipsec.rekey"),
    afterPart("ipsec.rekey", recreateTunnels),
  ],
  "tunnel: ike rekey interrupts nothing": [
    sendsPart((part) => (part.kind === "ipsec.rekey" ? { ...part, what: "child" } : part)),
  ],
  "tunnel: reauthenticate interrupts nothing": [
    afterPart("ipsec.rekey", recreateTunnels),
    sendsPart((part) => (part.kind === "ipsec.rekey" ? { ...part, what: "ike" } : part)),
  ],
  "tunnel: one that is not there cannot be rekeyed": [
    forces("ipsec.rekey", () => undefined),
    sendsPart((part) => (part.kind === "ipsec.rekey" ? { ...part, name: "hub-1" } : part)),
    drops("ipsec.rekey"),
  ],
};

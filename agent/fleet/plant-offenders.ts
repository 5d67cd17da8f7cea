// A second hand between the agent and its world that breaks one promise, so that the oracle can be
// seen to catch it.

import { drivers } from "#drivers/index.ts";
import type { Device, DeviceChange } from "#hal/device.ts";
import { type Ckn, type KeyRef, strongValue } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { HttpRequest, World } from "#hal/world.ts";
import { nothingSown, type Plant, type Sown } from "./plant.ts";

/**
 * Once, at the agent's first request that fits: `change` on the link of that request or beside it.
 */
interface Offence {
  readonly cue: (request: HttpRequest, life: number) => boolean;
  readonly where: "there" | "sibling";
  readonly change: (port: string, device: Device, signal: AbortSignal) => Promise<DeviceChange>;
}

function prepares(what: string): Offence["cue"] {
  return ({ path, body = [] }) =>
    path.endsWith("/prepare") &&
    body.some((part) => typeof part === "string" && part.includes(what));
}

function offender({ cue, where, change }: Offence): Sown["surround"] {
  return ({ world, edges, life }) => {
    let done = false;
    const offend = async (request: HttpRequest, signal: AbortSignal): Promise<void> => {
      const there = edges.find(({ device }) => request.path.startsWith(`/devices/${device}/`));
      const beside = edges.find(
        ({ group, device }) => group === there?.group && device !== there.device,
      );
      const edge = where === "there" ? there : beside;
      if (done || edge === undefined || !cue(request, life)) return;
      const target = { device: edge.device, address: request.to };
      const device = await drivers["sim"]?.open(target, world, () => undefined, signal);
      if (device === undefined) return;
      const wanted = await change(edge.port, device, signal);
      if (done || wanted.length === 0) return;
      done = true;
      const transaction = await device.prepare(wanted, foreignCak, signal);
      await transaction.apply("final", signal);
    };
    const http: World["dial"]["http"] = async (request, signal) => {
      const reply = await world.dial.http(request, signal);
      await offend(request, signal);
      return reply;
    };
    return { ...world, dial: { ...world.dial, http } };
  };
}

/** What the vault tells goes to the log, as a careless debug line would do it. */
function leaking({ world }: Parameters<Sown["surround"]>[0]): World {
  const http: World["dial"]["http"] = async (request, signal) => {
    const reply = await world.dial.http(request, signal);
    const value = /^\/vault\/secrets\/[^/]+-cak\/[0-9a-f]{32}$/.test(request.path);
    if (value) world.log.write("debug", "vault", new TextDecoder().decode(reply.body));
    return reply;
  };
  return { ...world, dial: { ...world.dial, http } };
}

const foreignKey: KeyRef = {
  ckn: "0f".repeat(32) as Ckn,
  cakSecretId: "https://plant.vault.sim/secrets/foreign-cak/1",
  cknSecretId: "https://plant.vault.sim/secrets/foreign-ckn/1",
};

async function foreignCak(): Promise<Secret> {
  return Secret.take("foreign", new Uint8Array(32).fill(0x0f));
}

/** Nothing while the port has no key to replace. */
async function replaceKey(
  port: string,
  device: Device,
  signal: AbortSignal,
): Promise<DeviceChange> {
  const { macsec } = await device.observe(signal);
  const seen = macsec.find((each) => each.port === port);
  const keys = seen === undefined ? undefined : strongValue(seen.keys);
  if (keys === undefined || keys.length === 0) return [];
  return [{ kind: "macsec.replaceKey", port, key: foreignKey }];
}

const offends = (
  name: string,
  breaks: Plant["breaks"],
  title: string,
  surround: Sown["surround"],
) =>
  ({
    name,
    breaks,
    title,
    where: "days",
    sow: () => ({ ...nothingSown, surround }),
  }) satisfies Plant;

export const offenderPlants: readonly Plant[] = [
  offends(
    "both-at-once",
    "P2",
    "drains the sibling together with the link",
    offender({
      cue: prepares('"port.drain"'),
      where: "sibling",
      change: async (port) => [{ kind: "port.drain", port, means: "prepend" }],
    }),
  ),
  offends(
    "skip-proof",
    "P3",
    "replaces the key of a link while the far end still uses it",
    offender({ cue: ({ path }) => path.endsWith("/probe"), where: "there", change: replaceKey }),
  ),
  offends(
    "write-on-restart",
    "P4",
    "starts a new SAK whenever the agent starts",
    offender({
      cue: ({ path }, life) => life > 1 && path.endsWith("/observe"),
      where: "there",
      change: async (port) => [{ kind: "macsec.rekeySak", port }],
    }),
  ),
  offends("leak-key", "P5", "writes what the vault answers to the log", leaking),
];

// Seeded defects of another program between the agent and its World: each breaks one promise, so
// that the oracle can be seen to catch it.

import { drivers } from "#drivers/index.ts";
import type { HttpRequest, World } from "#hal/world.ts";
import { type ActiveDefect, noDefect, type SeededDefect } from "./seeded-defect.ts";

/** Rekeys the SAK of the first observed link once, in every process but the first. */
function restarting({
  world,
  edges,
  processNumber,
}: Parameters<ActiveDefect["surround"]>[0]): World {
  let done = processNumber === 1;
  const offend = async (request: HttpRequest, signal: AbortSignal): Promise<void> => {
    const edge = edges.find(({ device }) => request.path === `/devices/${device}/observe`);
    if (done || edge === undefined) return;
    done = true;
    const target = { device: edge.device, address: request.to };
    const device = await drivers["sim"]?.open(target, world, () => undefined, signal);
    const change = [{ kind: "macsec.rekeySak", port: edge.port }] as const;
    const transaction = await device?.prepare(change, noKey, signal);
    await transaction?.apply("final", signal);
  };
  const http: World["dial"]["http"] = async (request, signal) => {
    const reply = await world.dial.http(request, signal);
    await offend(request, signal);
    return reply;
  };
  return { ...world, dial: { ...world.dial, http } };
}

function noKey(): never {
  throw new Error("a new SAK needs no CAK");
}

/** Writes the vault's values to the log, as a careless debug line would. */
function leaking({ world }: Parameters<ActiveDefect["surround"]>[0]): World {
  const http: World["dial"]["http"] = async (request, signal) => {
    const reply = await world.dial.http(request, signal);
    const value = /^\/vault\/secrets\/[^/]+-cak\/[0-9a-f]{32}$/.test(request.path);
    if (value) world.log.write("debug", "vault", new TextDecoder().decode(reply.body));
    return reply;
  };
  return { ...world, dial: { ...world.dial, http } };
}

const offends = (
  name: string,
  breaks: SeededDefect["breaks"],
  title: string,
  surround: ActiveDefect["surround"],
) =>
  ({
    name,
    breaks,
    title,
    where: "days",
    activate: () => ({ ...noDefect, surround }),
  }) satisfies SeededDefect;

export const offenderDefects: readonly SeededDefect[] = [
  offends("write-on-restart", "P4", "rekeys the SAK whenever the agent starts", restarting),
  offends("leak-key", "P5", "writes the vault's answers to the log", leaking),
];

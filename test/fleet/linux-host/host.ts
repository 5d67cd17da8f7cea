// The processes of a Linux host over a simulated router: linkseal-net with its own requests and
// undo log, the MKA process of its port, FRR's shell and ping.

import { Commits } from "#drivers/linux/net/commits.ts";
import type { NetControlServer } from "#drivers/linux/net/control-server.ts";
import type { KernelApplier } from "#drivers/linux/net/kernel-applier.ts";
import {
  type NetChange,
  type NetOperation,
  previewOf,
  type SecyWish,
} from "#drivers/linux/net/operation.ts";
import { answerNet } from "#drivers/linux/net/requests.ts";
import { fillCommand } from "#drivers/transport/fill.ts";
import { fillOctets } from "#drivers/transport/octets.ts";
import type { Device, TransactionToken } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type DeviceState, known, type PortName, strongValue, unknown } from "#hal/model.ts";
import { type Dialer, noStreams } from "#hal/world.ts";
import type { SimClock } from "#sim/base/clock.ts";
import { SimDisk } from "#sim/base/disk.ts";
import type { Site, SiteLink } from "#sim/site/site.ts";
import { never } from "../../unit/kit/site-bench.ts";
import { SimFrr } from "./frr.ts";
import { SimMkaProcess } from "./mka-process.ts";

type HostDial = Pick<Dialer, "http" | "framed" | "exec" | "stream">;

/** One Linux host with one port. */
export interface SimLinuxHost {
  readonly dial: HostDial;
  readonly mka: SimMkaProcess;
}

/** Starts the processes of the host at which the link ends. */
export async function startLinuxHost(site: Site, link: SiteLink): Promise<SimLinuxHost> {
  const device = site.device(link.device);
  if (device === undefined) throw new Error(`no ${link.device}`);
  const { clock } = site;
  const { port } = link;
  const prng = site.prng.fork(`linux ${link.device}`);
  const disk = new SimDisk({ clock, prng, writeMs: 1 });
  const world = { clock, disk, entropy: prng, log: { write: () => undefined } };
  const wishes = new Map<PortName, SecyWish>();
  const applier = applierOver(device, port, wishes);
  const commits = await Commits.open({ world, bootId: "boot-1", applier });
  const server = serverOver({ device, port, clock, commits, applier });
  const mka = new SimMkaProcess(device, port, clock, () => wishes.get(port));
  const frr = new SimFrr(device, port);
  const dial: HostDial = {
    http: async ({ method, path, body = [] }, signal) => {
      const text = new TextDecoder().decode(fillCommand(body));
      const reply = await answerNet(server, { method, path, body: text }, signal);
      return { status: reply.status, headers: {}, body: Buffer.from(reply.body) };
    },
    framed: async ({ path, octets }) => {
      if (!path.endsWith(`/${port}.sock`)) throw absent(path);
      const request = new Uint8Array(octets.reduce((sum, part) => sum + part.byteLength, 0));
      fillOctets(octets, request);
      return await mka.answer(request);
    },
    exec: (argv) => frr.exec(argv),
    stream: noStreams,
  };
  return { dial, mka };
}

/** A SecY is made, or changed, together with what the MKA process has for it: see there. */
function applierOver(
  device: Device,
  port: PortName,
  wishes: Map<PortName, SecyWish>,
): KernelApplier {
  const noKeys = (): never => {
    throw new Error("linkseal-net gets no key");
  };
  return {
    async undoOf(operation): Promise<NetOperation | undefined> {
      const [observed] = (await device.observe(never)).macsec;
      const isUp = observed !== undefined && strongValue(observed.admin) === "up";
      const { kind } = operation;
      if (kind === "macsec.participant" || kind === "macsec.protect") return operation;
      if (kind === "port.shut") return isUp ? { kind: "port.open", port } : undefined;
      if (kind === "port.open") return isUp ? undefined : { kind: "port.shut", port };
      throw new Error(`not asked for in a rotation: ${kind}`);
    },
    async apply(operation) {
      const { kind } = operation;
      if (kind === "macsec.protect") wishes.set(port, operation.settings);
      if (kind !== "port.shut" && kind !== "port.open") return;
      const transaction = await device.prepare([{ kind, port }], noKeys, never);
      await transaction.apply("final", never);
    },
    resume: async () => undefined,
    raise: async () => undefined,
  };
}

interface ServerParts {
  readonly device: Device;
  readonly port: PortName;
  readonly clock: SimClock;
  readonly commits: Commits;
  readonly applier: KernelApplier;
}

/** linkseal-net: its undo log and requests, and the simulated router in place of a kernel. */
function serverOver({ device, port, clock, commits, applier }: ServerParts): NetControlServer {
  const isPending = (): boolean => commits.state.pending !== undefined;
  const server = {
    async state(_name: string, signal: AbortSignal): Promise<DeviceState> {
      const wasPending = isPending();
      const state = await device.observe(signal);
      const { at, control } = state;
      const routing = unknown("notSupported", at);
      if (control.kind === "unknown") return { ...state, routing };
      const value = { ...control.value, commitPending: wasPending || isPending() };
      return { ...state, control: known(value, control.at), routing };
    },
    async subnets(signal: AbortSignal): Promise<readonly object[]> {
      const routing = strongValue((await device.observe(signal)).routing);
      return (routing?.sessions ?? []).map(({ peer }) => {
        return { port, link: "ms-port", prefix: `${peer}/30` };
      });
    },
    async routeTo(address: string, signal: AbortSignal): Promise<PortName | undefined> {
      return (await device.routesTo(address, signal))?.[0];
    },
    async prepare(change: NetChange, signal: AbortSignal) {
      const lines: string[] = [];
      for (const operation of change) {
        const back = await applier.undoOf(operation, commits, signal);
        if (back !== undefined) lines.push(...previewOf(operation));
      }
      const preview = lines.join("\n");
      return { token: commits.prepare(change, preview), preview };
    },
    recall: (token: TransactionToken) => commits.recall(token),
    apply: (...args: Parameters<Commits["apply"]>) => commits.apply(...args),
    confirm: (token: TransactionToken) => commits.confirm(token),
    rollback: (...args: Parameters<Commits["rollback"]>) => commits.rollback(...args),
    async changes(after: number, waitMs: number, signal: AbortSignal): Promise<number> {
      await clock.sleep(waitMs, signal);
      return after;
    },
  };
  return server as unknown as NetControlServer;
}

function absent(where: string): LinksealError {
  const details = { effect: "none", where, next: "look" } as const;
  return new LinksealError("transport.unreachable", "no process is there", details);
}

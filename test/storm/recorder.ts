// The recorder: everything that the agent reports, writes and asks for is shown to the oracle.

import { entryOf } from "#agent/model/campaign.ts";
import { parkingStates } from "#agent/rotation/guards.ts";
import type { JournalRecord } from "#agent/store/journal/memory.ts";
import { decodeJson } from "#hal/json.ts";
import type { Dialer, Disk, HttpRequest, Log, World } from "#hal/world.ts";
import type { Oracle } from "#sim/oracle/oracle.ts";

const decoder = new TextDecoder();

export function recordedWorld(world: World, oracle: Oracle): World {
  const { disk, dial } = world;
  return { ...world, disk: recordedDisk(disk, oracle), dial: recordedDialer(dial, oracle) };
}

export function recordedLog(oracle: Oracle): Log {
  return {
    write: (level, code, text, fields) => {
      oracle.emitted("log", JSON.stringify({ level, code, text, ...fields }));
    },
  };
}

function recordedDisk(disk: Disk, oracle: Oracle): Disk {
  return {
    read: (name) => disk.read(name),
    list: (prefix) => disk.list(prefix),
    append: async (name, bytes) => {
      oracle.emitted(name, bytes);
      await disk.append(name, bytes);
      const line = decoder.decode(bytes);
      oracle.recorded(line);
      if (reportable.test(line)) report(decodeJson(line) as JournalRecord, oracle);
    },
    replace: async (name, bytes) => {
      oracle.emitted(name, bytes);
      await disk.replace(name, bytes);
      oracle.recorded(decoder.decode(bytes));
    },
  };
}

/** Matches records with a statement that the oracle can check. */
const reportable = /"kind":"(?:binding|campaign|handDrain)"/;

function report(record: JournalRecord, oracle: Oracle): void {
  if (record.kind === "campaign") {
    const { campaign } = record;
    const { state } = campaign;
    // A drain that remains once the campaign is done belongs to an operator.
    const isParked = state !== "done" && parkingStates.some((each) => each === state);
    const link = `${campaign.group}/${entryOf(campaign).name}`;
    oracle.waits(link, isParked ? "parked" : "moving");
    oracle.means(campaign.group, state === "done" ? undefined : link);
  }
  if (record.kind === "handDrain") {
    oracle.means(record.link, record.drain === null ? undefined : record.link);
  }
  // A key that a campaign binds is proven; an adopted one is as it was found.
  if (record.kind === "binding" && record.binding.how !== "adopted") {
    oracle.claims(record.link, record.binding.key.ckn);
  }
}

function recordedDialer(dial: Dialer, oracle: Oracle): Dialer {
  return {
    http: (request, signal) => {
      const act = actOf(request);
      if (act !== undefined) oracle.acts(act.place, act.token);
      return dial.http(request, signal);
    },
    routeTo: (address, signal) => dial.routeTo(address, signal),
    resolve: (host, signal) => dial.resolve(host, signal),
    exec: (argv, stdin, signal) => dial.exec(argv, stdin, signal),
    framed: (question, signal) => dial.framed(question, signal),
    stream: (path, signal) => dial.stream(path, signal),
    channel: (to, kind, signal) => dial.channel(to, kind, signal),
    snmp: (to, question, signal) => dial.snmp(to, question, signal),
  };
}

/** Returns the place and token by which the journal names the effect of this request. */
function actOf({ path, body = [] }: HttpRequest) {
  const [, device, applied] = /^\/devices\/([^/]+)\/transactions\/([^/]+)\/apply$/.exec(path) ?? [];
  if (device !== undefined && applied !== undefined) {
    return { place: decodeURIComponent(device), token: decodeURIComponent(applied) };
  }
  if (path !== "/peers/put") return undefined;
  const text = body.filter((part) => typeof part === "string").join("");
  const [, token] = /"cakSecretId":"([^"]+)"/.exec(text) ?? [];
  return token === undefined ? undefined : { place: "a far end", token };
}

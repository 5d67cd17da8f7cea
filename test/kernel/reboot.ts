// The programs inside the machine of the boot test, before its power is cut and after: a router
// host with linkseal-net and an MKA process, no agent, no vault, and wpa_supplicant at the far end.

import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { MkaClient, type MkaObservation } from "#drivers/linux/mka/client.ts";
import { replyBytesMax } from "#drivers/linux/mka/protocol.ts";
import { askFramed } from "#drivers/transport/framed.ts";
import { Secret } from "#hal/secret.ts";
import { change } from "../unit/kit/mka-change.ts";
import { Programs } from "./host/programs.ts";
import { ip, ipBatch, leaveNetworks, soon, until } from "./lab.ts";
import { keyOf, wire } from "./mka/station.ts";
import { Supplicant } from "./mka/supplicant.ts";
import { ping } from "./mka/traffic.ts";

const results = "/run/machine/results";
const home = "/run/home";
const key = keyOf("c0ffee", 32);
const port = "wire";

/** Mounts a disk that outlives the machine, under the folders in which linkseal keeps its state. */
function mountDisk(): void {
  for (const name of ["state-net", "state-mka"]) {
    const [kept, seen] = [join(results, name), join(home, name)];
    mkdirSync(kept, { recursive: true, mode: 0o700 });
    mkdirSync(seen, { recursive: true, mode: 0o700 });
    execFileSync("mount", ["--bind", kept, seen]);
  }
  const seal = join(results, "seal");
  if (existsSync(seal)) return;
  writeFileSync(seal, crypto.getRandomValues(new Uint8Array(32)));
  chmodSync(seal, 0o600);
}

function askNet(path: string, body: object): Promise<Record<string, unknown>> {
  const socketPath = join(home, "run", "net.sock");
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path: `/devices/edge${path}`, method: "POST" });
    call.once("error", reject);
    call.once("response", (response) => {
      const chunks: string[] = [];
      response.on("data", (chunk) => chunks.push(String(chunk)));
      response.once("end", () => resolve(JSON.parse(chunks.join("")) as Record<string, unknown>));
    });
    call.end(JSON.stringify(body));
  });
}

const client = new MkaClient(
  (octets, { effect }, signal) =>
    askFramed(
      { path: join(home, "run", "mka", `${port}.sock`), octets, replyBytesMax, effect },
      signal,
    ),
  port,
);

async function enrol(): Promise<void> {
  const settings = { suite: "gcm-aes-256", includeSci: true, replayWindow: 0 };
  const { token } = await askNet("/prepare", {
    change: [{ kind: "macsec.protect", port, settings }],
  });
  await askNet(`/transactions/${String(token)}/apply`, { within: "final" });
  using cak = Secret.take("cak", Uint8Array.from(Buffer.from(key.cak, "hex")));
  const part = { kind: "add", ckn: key.ckn, key: cak } as const;
  await change(client, part, { token: "enrol", within: "final" }, soon());
}

async function secured(): Promise<Extract<MkaObservation, { kind: "bound" }>> {
  return await until(async () => {
    const observation = await client.observe(soon());
    if (observation.kind !== "bound" || observation.session.controlledPort !== "secured")
      return undefined;
    return observation.session.respondedPeers > 0 ? observation : undefined;
  }, 240_000);
}

async function main(life: "first" | "second"): Promise<void> {
  mountDisk();
  const [near, far] = wire();
  const programs = new Programs(home, near);
  // The host's own network configuration does this; it does not know a SecY.
  ipBatch([`addr add 10.0.0.1/24 dev ${port}`], "-n", near);
  using supplicant = new Supplicant({
    ...{ version: "2.11", network: far, key, priority: 32, suite: "gcm-aes-256" },
  });
  const device = await supplicant.device();
  ipBatch([`addr add 10.0.0.2/24 dev ${device}`, `link set ${device} up`], "-n", far);
  const begun = performance.now();
  await programs.serve("net");
  await programs.serve("mka", port, "--key-cache", `file:${join(results, "seal")}`);
  if (life === "first") await enrol();
  const { keys, session, device: secy } = await secured();
  const tookMs = Math.round(performance.now() - begun);
  const answered = await ping(near, "10.0.0.2");
  const found = {
    ...{ keys, answered, tookMs, keyServer: session.keyServer },
    below: ip("-n", near, "-br", "addr", "show", "dev", port),
    above: ip("-n", near, "-br", "addr", "show", "dev", secy),
    secy: ip("-n", near, "-d", "link", "show", secy),
  };
  writeFileSync(join(results, `${life}.json`), JSON.stringify(found));
  // Programs get no notice, as when the power fails.
  if (life === "first") {
    execFileSync("sync");
    writeFileSync("/proc/sysrq-trigger", "b");
  }
  programs[Symbol.dispose]();
  leaveNetworks();
}

await main(process.argv[2] === "second" ? "second" : "first");
process.exit(0);

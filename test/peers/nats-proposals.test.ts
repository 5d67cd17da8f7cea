// Proposals as they are made: OpenSSH signs, Debian's nats-server carries, and a real agent applies
// what its own config allows.

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { NatsSession } from "#agent/fleet/nats-session.ts";
import { proposalNamespace } from "#agent/fleet/proposal.ts";
import { parseSignerKey, verifySignature } from "#agent/fleet/ssh-signature.ts";
import { withEngine } from "#agent/hub/host/hub-session.ts";
import { signWithSsh } from "#agent/hub/host/ssh-keygen.ts";
import { publishedConfig, putProposal } from "#agent/hub/propose.ts";
import { hubInbox } from "#agent/hub/server-accounts.ts";
import { SshSigner } from "../unit/kit/ssh-kit.ts";
import { NatsStage } from "./nats-stage.ts";
import { type Ended, run } from "./run.ts";
import { Started } from "./started.ts";

const command = join(import.meta.dirname, "../../agent/bin.js");

async function newKey(folder: string, name: string, ...kind: readonly string[]): Promise<string> {
  const path = join(folder, name);
  const words = ["-q", ...kind, "-N", "", "-C", "a throw-away", "-f", path];
  const { status, stderr } = await run(["ssh-keygen", ...words], "");
  if (status !== 0) throw new Error(stderr);
  return path;
}

/** Type and base64 of a public key. */
const lineOf = (path: string): string =>
  readFileSync(`${path}.pub`, "utf8").split(" ").slice(0, 2).join(" ");

let stage: NatsStage;
beforeAll(async () => {
  // The site of `linkseal sim site` is called demo.
  stage = await NatsStage.start((text) => text.replaceAll(/\bdub\b(?!\.seed)/g, "demo"));
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});

function counts(line: string, armor: string, text: string): boolean | "noKey" {
  const key = parseSignerKey(line);
  if (key === undefined) return "noKey";
  const of = { namespace: proposalNamespace, keys: [key] };
  return verifySignature(armor, Buffer.from(text), of).kind === "signed";
}

/** What OpenSSH itself says about a signature. */
async function opensshVerifies(line: string, armor: string, text: string): Promise<boolean> {
  const [signers, signature] = ["signers", "signature"].map((name) => join(stage.folder, name));
  if (signers === undefined || signature === undefined) throw new Error("no names");
  writeFileSync(signers, `anna ${line}\n`);
  writeFileSync(signature, armor);
  const of = ["-I", "anna", "-n", proposalNamespace, "-s", signature, "-f", signers];
  return (await run(["ssh-keygen", "-Y", "verify", ...of], text)).status === 0;
}

describe("a signature of OpenSSH", () => {
  const text = 'what is signed, "with" ünïcode\n';

  it.each([
    ["ed25519", ["-t", "ed25519"]],
    ["ecdsa", ["-t", "ecdsa", "-b", "256"]],
    ["rsa", ["-t", "rsa", "-b", "2048"]],
    ["rsa-4096", ["-t", "rsa", "-b", "4096"]],
  ])("by %s counts, for this text and purpose alone", async (name, kind) => {
    const key = await newKey(stage.folder, name, ...kind);
    const armor = await signWithSsh(key, proposalNamespace, text);
    expect(counts(lineOf(key), armor, text)).toBe(true);
    expect(counts(lineOf(key), armor, `${text}.`)).toBe(false);
    const forFile = await signWithSsh(key, "file", text);
    expect(counts(lineOf(key), forFile, text)).toBe(false);
    const fingerprint = parseSignerKey(lineOf(key))?.fingerprint ?? "none";
    expect((await run(["ssh-keygen", "-lf", key], "")).stdout).toContain(fingerprint);
  });

  it.each(["384", "521"])("by a key on P-%s is refused", async (bits) => {
    const key = await newKey(stage.folder, `ecdsa-${bits}`, "-t", "ecdsa", "-b", bits);
    const armor = await signWithSsh(key, proposalNamespace, text);
    expect(counts(lineOf(key), armor, text)).toBe("noKey");
  });

  it("by ssh-agent counts, from the file of the public key", async () => {
    const key = await newKey(stage.folder, "held", "-t", "ed25519");
    const signed = await run(
      [
        ...["ssh-agent", "sh", "-ec"],
        `ssh-add -q '${key}'; rm '${key}'
         ssh-keygen -q -Y sign -n ${proposalNamespace} -f '${key}.pub'`,
      ],
      text,
    );
    expect(counts(lineOf(key), signed.stdout, text), signed.stderr).toBe(true);
  });

  // No security key is here: the test signs as PROTOCOL.u2f says, and OpenSSH judges that too.
  it.each(["sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"] as const)(
    "by %s counts for OpenSSH and here, and here only with a touch",
    async (kind) => {
      const signer = new SshSigner(kind);
      const good = signer.sign(text);
      expect(await opensshVerifies(signer.line, good, text)).toBe(true);
      expect(counts(signer.line, good, text)).toBe(true);
      const untouched = signer.sign(text, { flags: 0 });
      // ssh-keygen leaves the touch to its callers; sshd wants it.
      expect(await opensshVerifies(signer.line, untouched, text)).toBe(true);
      expect(counts(signer.line, untouched, text)).toBe(false);
    },
  );

  it("that was changed counts neither for OpenSSH nor here", async () => {
    const signer = new SshSigner("ecdsa-sha2-nistp256");
    const good = signer.sign(text);
    expect(await opensshVerifies(signer.line, good, text)).toBe(true);
    const lines = good.split("\n");
    for (let at = 1; at < lines.length - 2; at += 1) {
      const old = lines[at] ?? "";
      const turned = (old[20] === "A" ? "B" : "A") + old.slice(21);
      const bad = lines.with(at, `${old.slice(0, 20)}${turned}`).join("\n");
      expect(await opensshVerifies(signer.line, bad, text), bad).toBe(false);
      expect(counts(signer.line, bad, text), bad).toBe(false);
    }
  });
});

function asHub<T>(f: (session: NatsSession) => Promise<T>): Promise<T> {
  const { server, ca, keys } = stage;
  return withEngine({ servers: [server], ca, key: `file:${keys.hub}`, inbox: hubInbox }, f);
}

/** A site with an agent of its own, and the commands of the people at both places. */
class Place implements AsyncDisposable {
  readonly site = new Started();

  async cli(...words: readonly string[]): Promise<Ended> {
    const env = ["env", `LINKSEAL_HOME=${this.site.home}`, "NO_COLOR=1"];
    return await run([...env, process.execPath, command, ...words], "");
  }

  async done(...words: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.cli(...words);
    if (status !== 0) throw new Error(`${words.join(" ")} ended with ${status}: ${stderr}`);
    return stdout;
  }

  async propose(...words: readonly string[]): Promise<Ended> {
    const hub = ["--server", stage.server, "--ca", stage.ca, "--key", stage.keys.hub];
    return await this.cli("fleet", "propose", "demo", ...words, ...hub);
  }

  /** Writes a file into the folder of the test. */
  file(name: string, text: string): string {
    const path = join(stage.folder, name);
    writeFileSync(path, text);
    return path;
  }

  async inForce(): Promise<string> {
    return await this.done("config", "show");
  }

  async shown(): Promise<{ readonly state: string; readonly why: string | null }> {
    return JSON.parse((await this.cli("proposal", "show", "--json")).stdout);
  }

  /** Waits until the agent has seen it. */
  async until(seen: () => Promise<boolean>): Promise<void> {
    while (!(await seen())) await new Promise((resolve) => setTimeout(resolve, 500));
  }

  /** Waits until the engine names the config that is in force. */
  async published(text: string): Promise<string> {
    const file = this.file("based-on.yaml", text);
    const wanted = createHash("sha256").update(text).digest("hex");
    await asHub((session) =>
      this.until(async () => (await publishedConfig(session, "demo"))?.sha256 === wanted),
    );
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.site[Symbol.asyncDispose]();
  }
}

const recordOf = async (payload: string, key: string): Promise<Uint8Array> => {
  const signature = await signWithSsh(key, proposalNamespace, payload);
  const record = { schema: "linkseal.proposal/1", payload, signature };
  return new TextEncoder().encode(JSON.stringify(record));
};

/** Another time after which a reading is stale: a change of no authority. */
function change(text: string, to: string): string {
  const rest = text.replace(/^health:.*\n/m, "");
  return `${rest.trimEnd()}\nhealth: { staleAfter: ${to} }\n`;
}

describe("a proposal from the hub to a real agent", () => {
  let place: Place;
  let [anna, mallory] = ["", ""];
  beforeAll(async () => {
    anna = await newKey(stage.folder, "anna", "-t", "ed25519");
    mallory = await newKey(stage.folder, "mallory", "-t", "ed25519");
    place = new Place();
    await place.until(async () => (await place.site.status()).includes('"site":"demo"'));
    const hub = ["--server", stage.server, "--ca", stage.ca, "--key", stage.keys.hub];
    await place.done("hub", "setup", ...hub);
    const fleet = [
      "fleet:",
      `  servers: ["${stage.server}"]`,
      `  ca: ${stage.ca}`,
      `  key: "file:${stage.keys.dub}"`,
      `  signers: [{ name: anna, key: ${lineOf(anna)} }]`,
      "  apply: propose",
      "",
    ].join("\n");
    const first = `${await place.inForce()}\n${fleet}`;
    await place.done("apply", place.file("first.yaml", first), "--yes");
  });
  afterAll(async () => {
    await place[Symbol.asyncDispose]();
  });

  it("is applied by a person of the site, and its record names both", async () => {
    const basedOn = await place.published(await place.inForce());
    const config = place.file("second.yaml", change(await place.inForce(), "40s"));
    const of = ["--config", config, "--based-on", basedOn, "--yes"];
    const refused = await place.propose(...of, "--sign", mallory);
    expect([refused.status, refused.stderr]).toEqual([
      2,
      expect.stringContaining("a key that is not in fleet.signers"),
    ]);
    const sent = await place.propose(...of, "--sign", anna);
    expect(sent.stderr).toContain("A person of the site applies it.");
    expect([sent.status, sent.stdout]).toEqual([
      0,
      expect.stringMatching(/Proposed to demo, signed by anna/),
    ]);
    await place.until(async () => (await place.shown()).state === "waiting");
    expect((await place.cli("proposal", "show")).stdout).toMatch(/signed by {2}anna .*health/s);
    await place.done("proposal", "apply", "--yes");
    expect(await place.inForce()).toContain("staleAfter: 40s");
    const history = await place.done("config", "history");
    expect(history).toMatch(/^3 .*admin socket: .*; signed by anna/m);
  });

  it("that repeats the config of the site is not signed, and not sent", async () => {
    const basedOn = await place.published(await place.inForce());
    const same = ["--config", basedOn, "--based-on", basedOn];
    for (const way of [
      ["--sign", "-"],
      ["--sign", anna, "--yes"],
    ]) {
      const { status, stdout, stderr } = await place.propose(...same, ...way);
      expect([status, stdout, stderr]).toEqual([
        ...[2, "", expect.stringContaining("demo has accepted exactly this as config 3")],
      ]);
    }
    expect((await place.shown()).why).toBe("it was applied");
  });

  it("that is old, or by another key, does nothing", async () => {
    // The old one is still at the engine when the person goes back.
    await place.done("config", "rollback", "2", "--yes");
    const now = await place.inForce();
    const basedOn = await place.published(now);
    await place.until(async () => (await place.shown()).why === "it was applied");
    const config = place.file("third.yaml", change(now, "50s"));
    const printed = await place.propose(
      ...["--config", config, "--based-on", basedOn, "--sign", "-"],
    );
    const forged = await recordOf(printed.stdout, mallory);
    await asHub((session) => putProposal(session, "demo", forged));
    await place.until(async () => (await place.shown()).state === "refused");
    expect((await place.shown()).why).toContain("not in fleet.signers");
    expect(await place.inForce()).toBe(now);
  });

  it("that was signed elsewhere is applied by the agent itself with `auto`", async () => {
    const auto = (await place.inForce()).replace("apply: propose", "apply: auto");
    await place.done("apply", place.file("auto.yaml", auto), "--yes");
    const basedOn = await place.published(await place.inForce());
    const config = place.file("fourth.yaml", change(await place.inForce(), "50s"));
    const printed = await place.propose("--config", config, "--based-on", basedOn, "--sign", "-");
    const payload = place.file("payload", printed.stdout);
    const byAnna = ["-q", "-Y", "sign", "-n", proposalNamespace, "-f", anna, payload];
    expect((await run(["ssh-keygen", ...byAnna], "")).status).toBe(0);
    const sent = await place.propose("--signed", payload, "--based-on", basedOn, "--yes");
    expect(sent.stderr).toContain("The site applies it by itself");
    expect(sent.status).toBe(0);
    await place.until(async () => (await place.inForce()).includes("staleAfter: 50s"));
    expect(await place.done("config", "history")).toContain("applied by fleet.apply: auto");
  });

  it("that changes authority waits for a person also with `auto`, and is taken back", async () => {
    const present = await place.inForce();
    const basedOn = await place.published(present);
    const text = `${present.replace(/^repair:.*\n/m, "")}repair: on\n`;
    const of = ["--config", place.file("fifth.yaml", text), "--based-on", basedOn, "--yes"];
    const sent = await place.propose(...of, "--sign", anna);
    expect(sent.stderr).toContain("who alone may change repair");
    await place.until(async () => (await place.shown()).state === "waiting");
    expect((await place.shown()).why).toContain("who alone may change repair");
    await place.propose("--withdraw");
    await place.until(async () => (await place.shown()).state === "none");
    expect(await place.inForce()).toBe(present);
  });
});

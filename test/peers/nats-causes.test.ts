// What an operator reads when a site or a hub does not get on with Debian's nats-server: each cause
// is planted, and a real agent's log and the commands at the hub name it and the next act.

import { execFileSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hubRun, hubTried } from "./hub-process.ts";
import { NatsStage } from "./nats-stage.ts";
import { Started } from "./started.ts";

/** The simulated site is `demo`. */
const demo = (text: string): string => text.replaceAll(/\bdub\b(?!\.seed)/g, "demo");

interface Login {
  readonly server: string;
  readonly ca: string;
  readonly key: string;
}

const loginOf = ({ server, ca, keys }: NatsStage): Login => ({ server, ca, key: keys.dub });

interface Cause {
  readonly cause: string;
  /** Changes the server's configuration. */
  readonly edit?: (text: string) => string;
  /** Changes how the site connects. */
  readonly login?: (stage: NatsStage) => Partial<Login>;
  readonly text: RegExp;
  readonly next: RegExp;
}

/** A certificate for localhost that has ended. */
function expiredIn(folder: string): { readonly certificate: string; readonly key: string } {
  const [certificate, key] = [join(folder, "old-cert.pem"), join(folder, "old-key.pem")];
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...["-keyout", key, "-out", certificate, "-subj", "/CN=localhost"],
      ...["-not_before", "20200101000000Z", "-not_after", "20210101000000Z"],
      ...["-addext", "subjectAltName=DNS:localhost"],
    ],
    { stdio: "ignore" },
  );
  return { certificate, key };
}

const withoutRight = (text: string): string => {
  const right = '        "$KV.linkseal-status.demo"\n';
  if (!text.includes(right)) throw new Error("the site has no such right");
  return text.replace(right, "");
};

const causes: readonly Cause[] = [
  {
    cause: "a CA that did not certify the server",
    login: () => ({ ca: other.ca }),
    text: /of no authority that is trusted here \(\w+\)/,
    next: /fleet\.ca/,
  },
  {
    cause: "a name that is not in the certificate",
    login: ({ port }) => ({ server: `tls://127.0.0.1:${port}` }),
    text: /its certificate does not name 127\.0\.0\.1/,
    next: /by a name of the certificate/,
  },
  {
    cause: "a certificate that has expired",
    edit: (text) => {
      const [, folder = ""] = /cert_file: "(.*)\/server-cert\.pem"/.exec(text) ?? [];
      const { certificate, key } = expiredIn(folder);
      return text
        .replace(join(folder, "server-cert.pem"), certificate)
        .replace(join(folder, "server-key.pem"), key);
    },
    login: ({ folder }) => ({ ca: join(folder, "old-cert.pem") }),
    text: /its certificate has expired/,
    next: /renew \/etc\/nats\/server-cert\.pem/,
  },
  {
    cause: "a server that is not there",
    login: () => ({ server: "tls://localhost:1" }),
    text: /nothing listens there/,
    next: /systemctl status nats-server/,
  },
  {
    cause: "a server without TLS",
    edit: (text) => text.replace(/tls \{[\s\S]*?\n\}/, ""),
    text: /it does not begin with TLS/,
    next: /linkseal hub config/,
  },
  {
    cause: "a file of certificates that is not there",
    login: () => ({ ca: "/etc/linkseal/absent.pem" }),
    text: /\/etc\/linkseal\/absent\.pem: the certificates cannot be read \(ENOENT\)/,
    next: /read them/,
  },
  {
    cause: "a key that the server does not have",
    login: () => ({ key: other.keys.dub }),
    text: /the server refuses this user as its list lacks the key/,
    next: /put U[A-Z2-7]{55} into the list of users/,
  },
  {
    cause: "the key of another site",
    login: ({ keys }) => ({ key: keys.ams }),
    text: /this key under another name/,
    next: /correct the name in the list/,
  },
  {
    cause: "a right that the user lacks",
    edit: withoutRight,
    text: /gives this user no right to KV_linkseal-status/,
    next: /linkseal hub config/,
  },
  {
    cause: "streams that were never made",
    text: /no responder for KV_linkseal-status/,
    next: /linkseal hub setup/,
  },
  {
    cause: "a server without JetStream",
    edit: (text) =>
      text.replace(/jetstream \{[\s\S]*?\n\}/, "").replace("  jetstream: enabled\n", ""),
    text: /no responder for KV_linkseal-status at the engine: JetStream is off/,
    next: /systemctl restart nats-server/,
  },
  {
    cause: "an account without JetStream",
    edit: (text) => text.replace("  jetstream: enabled\n", ""),
    text: /no responder for KV_linkseal-status at the engine: JetStream is off/,
    next: /systemctl restart nats-server/,
  },
];

let other: NatsStage;
let site: Started;
beforeAll(async () => {
  other = await NatsStage.start();
  site = new Started();
  while (!(await site.status()).includes('"site":"demo"')) await rest(200);
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});

interface Line {
  readonly code: string;
  readonly text: string;
  readonly next?: string;
}

/** Lines of the agent's log. */
function lines(): readonly Line[] {
  const [file = ""] = globSync(join(site.home, "linkseal-demo-*", "linkseal.log"));
  const whole = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return whole.map((line) => JSON.parse(line) as Line);
}

let bare: string | undefined;

/** Connects the agent as a person does, by its config. */
async function connect(stage: NatsStage, login: Partial<Login>): Promise<void> {
  bare ??= await site.run("config", "show");
  const { server, ca, key } = { ...loginOf(stage), ...login };
  const fleet = `fleet: { servers: ["${server}"], ca: ${ca}, key: "file:${key}" }`;
  const file = join(stage.folder, "demo.yaml");
  await writeFile(file, `${bare}\n${fleet}\n`);
  await site.run("apply", file, "--yes");
}

describe("what a site's operator reads", () => {
  it.each(causes)("$cause", async ({ edit = (text) => text, login, text, next }) => {
    await using stage = await NatsStage.start((config) => edit(demo(config)));
    const before = lines().length;
    await connect(stage, login?.(stage) ?? {});
    const told = (): Line | undefined =>
      lines()
        .slice(before)
        .find((line) => line.code === "fleet-failed" && text.test(line.text));
    while (told() === undefined) await rest(100);
    expect(told()?.next).toMatch(next);
    expect(told()?.text).toMatch(/; the agent goes on without it$/);
    // The engine is no part of the links' health.
    expect(JSON.parse(await site.status())).toMatchObject({ verdict: "protected" });
  });
});

describe("what an operator of the hub reads", () => {
  it("a server without JetStream, or an account without it, is named by each command", async () => {
    const off = causes.filter(({ cause }) => cause.endsWith("without JetStream"));
    expect(off).toHaveLength(2);
    for (const { edit = (text: string) => text } of off) {
      await using stage = await NatsStage.start(edit);
      for (const words of [
        ["hub", "setup"],
        ["hub", "doctor"],
        ["fleet", "status"],
      ]) {
        const { status, out, err } = await hubTried(stage, words);
        expect([words, status === 0]).toEqual([words, false]);
        expect(`${out}${err}`).toMatch(/JetStream is off|has no JetStream/);
        expect(`${out}${err}`).toMatch(/linkseal hub config, then systemctl restart nats-server/);
      }
    }
  });

  it("streams that were never made: status, waves and doctor name hub setup", async () => {
    await using stage = await NatsStage.start();
    for (const words of [
      ["fleet", "status"],
      ["fleet", "waves"],
      ["hub", "doctor"],
    ]) {
      const { status, out, err } = await hubTried(stage, words);
      expect([words, status === 0]).toEqual([words, false]);
      expect(`${out}${err}`).toMatch(/linkseal hub setup/);
    }
    await hubRun(stage, ["hub", "setup"]);
    expect(await hubRun(stage, ["fleet", "waves"])).toBeDefined();
  });
});

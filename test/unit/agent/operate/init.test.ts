// `init`: from options, or from what a person says, to a config that its own rules accept.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseConfig } from "#agent/config/index.ts";
import { hostPorts } from "#agent/host/ports.ts";
import { answersOf, type InitOptions, type InitParts } from "#agent/operate/init/answers.ts";
import { checksOf } from "#agent/operate/init/checks.ts";
import { configTextOf } from "#agent/operate/init/config-text.ts";
import { LinksealError } from "#hal/error.ts";
import type { Dialer } from "#hal/world.ts";

const shown = `SHA256:${"A".repeat(34)}bcdefghij`;
const port = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/r/providers";

const whole: InitOptions = {
  ...{ site: "dublin", cloud: "public", vault: "https://kv-erd-dub.vault.azure.net" },
  ...{ identity: "arc", group: "erd-dub" },
  device: ["edge-a=junos,192.0.2.1", "edge-b=linux"],
  hostKey: [`edge-a=${shown}`],
  expressRoutePort: `${port}/Microsoft.Network/expressRoutePorts/erd-dub`,
  link: ["primary=edge-a,et-0/0/0,100G", "secondary=edge-b,eth1"],
};

const alone: InitParts = {
  ask: undefined,
  ports: [
    { name: "eth0", gigabits: 1 },
    { name: "eth1", gigabits: 10 },
  ],
  hostKey: () => Promise.reject(new Error("it was not asked for")),
};

/** Says these things, one after the other. */
function saying(...words: string[]): { readonly parts: InitParts; readonly asked: string[] } {
  const asked: string[] = [];
  const ask = (question: string): Promise<string> => {
    asked.push(question);
    return Promise.resolve(words.shift() ?? "");
  };
  return { asked, parts: { ...alone, ask, hostKey: () => Promise.resolve(shown) } };
}

describe("what options say", () => {
  it("complete options of init give a config that the schema and its rules accept", async () => {
    const text = configTextOf(await answersOf(whole, alone));
    const parsed = parseConfig(text, "linkseal.yaml");
    expect(parsed.kind === "refused" ? parsed.complaints : []).toEqual([]);
    expect(parsed).toMatchObject({
      kind: "ok",
      desired: {
        site: "dublin",
        azure: { farEnd: "manual", identity: { kind: "arc" } },
        devices: [
          { driver: "junos", ssh: { user: "linkseal", key: "credential:edge-a", hostKey: shown } },
          { driver: "linux" },
        ],
        groups: [
          {
            drain: "prepend",
            links: [
              { port: "et-0/0/0", azureLink: "link1", settings: { suite: "gcm-aes-xpn-256" } },
              // Of a port of 10G, as the host itself tells.
              { port: "eth1", azureLink: "link2", settings: { suite: "gcm-aes-256" } },
            ],
          },
        ],
      },
    });
  });

  it.each(["arc", "managedIdentity"])(
    "a config of init with the identity %s is valid",
    async (identity) => {
      const text = configTextOf(await answersOf({ ...whole, identity }, alone));
      expect(parseConfig(text, "linkseal.yaml").kind).toBe("ok");
    },
  );

  it.each([
    ["no vault", { vault: undefined }, "--vault is missing"],
    ["no host key", { hostKey: [] }, "--host-key edge-a=SHA256:... is missing"],
    ["one link", { link: whole.link?.slice(0, 1) }, "--link is given twice"],
    ["a foreign device", { link: ["a=x,eth0", "b=edge-b,eth1"] }, "no --device is named x"],
    ["no speed", { link: ["a=edge-a,et-0/0/0", "b=edge-b,eth1"] }, "give the speed"],
    ["a router nowhere", { device: ["edge-a=junos"] }, "is reached at an address"],
    ["no form", { device: ["edge-a"] }, "is not of the form"],
    ["another identity", { identity: "password" }, "it is arc or managedIdentity"],
  ])(
    "an option of init that is missing or wrong is refused and named: %s",
    async (_what, change, text) => {
      const options = { ...whole, ...change } as InitOptions;
      await expect(answersOf(options, alone)).rejects.toThrow(text);
    },
  );
});

describe("what a person says", () => {
  it("init asks for what no option gives, and proposes a default for the rest", async () => {
    const { parts, asked } = saying(
      ...[
        "dublin",
        "",
        "https://kv-erd-dub.vault.azure.net",
        "",
        "edge-a=eos,192.0.2.1 edge-b=linux",
      ],
      ...["AAAbcdefghij", "", "/x/y", "edge-a,Ethernet1,100G", "edge-b,eth1"],
    );
    const answers = await answersOf({}, parts);
    expect(answers).toMatchObject({
      ...{ site: "dublin", cloud: "public", identity: "arc", group: "erd" },
      devices: [{ login: { hostKey: shown } }, { login: undefined }],
      links: [{ gigabits: 100 }, { gigabits: 10 }],
    });
    expect(asked.join("\n")).toContain("eth0 (1G), eth1 (10G)");
  });

  it.each(["yes", "", "bcdefghi", "ij", "AAbcdefghij", `SHA256:${"B".repeat(43)}`])(
    "a host key is not confirmed by %j: twelve characters of it are needed",
    async (said) => {
      const { parts } = saying(said);
      await expect(answersOf({ ...whole, hostKey: [] }, parts)).rejects.toThrow("not confirmed");
    },
  );
});

interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

interface World {
  readonly status?: number;
  /** What the identity endpoint of this host answers; absent = nothing answers. */
  readonly identity?: Reply | "absent";
  readonly route?: string;
}

const key = "/var/opt/azcmagent/tokens/0a1b.key";
const challenge: Reply = { status: 401, headers: { "www-authenticate": `Basic realm=${key}` } };

function dialer(
  { status = 401, identity = challenge, route = "eth0" }: World,
  asked: unknown[] = [],
): Dialer {
  return {
    http: (request: { readonly to: string }) => {
      if (request.to.startsWith("https:")) {
        return Promise.resolve({ status, headers: {}, body: empty });
      }
      asked.push(request);
      if (identity === "absent") return Promise.reject(unreachable);
      const body = new TextEncoder().encode(
        typeof identity.body === "string" ? identity.body : JSON.stringify(identity.body ?? ""),
      );
      return Promise.resolve({ status: identity.status, headers: identity.headers ?? {}, body });
    },
    resolve: () => Promise.resolve(["203.0.113.5"]),
    routeTo: () => Promise.resolve(route),
  } as unknown as Dialer;
}
const empty = new Uint8Array();
const unreachable = new LinksealError("transport.unreachable", "no process answers", {
  ...{ effect: "none", where: "x", next: "look" },
});

describe("what is checked before", () => {
  const found = async (world: World) => {
    const checks = await checksOf(await answersOf(whole, alone), {
      dial: dialer(world),
      deadline: () => new AbortController().signal,
    });
    return checks.map(({ what, found: how }) => `${what} ${how}`);
  };

  it("the checks of init are good if vault, identity and paths answer", async () => {
    expect(await found({})).toEqual([
      ...["vault good", "identity good", "own path good", "own path good"],
    ]);
  });

  // Before, any answer of 169.254.169.254 counted as an identity that "gives tokens".
  const denied = { status: 403, body: { error: "Forbidden" } };
  const token = { status: 200, body: { access_token: "eyJ0", token_type: "Bearer" } };
  const none = {
    status: 400,
    body: { error: "invalid_request", error_description: "Identity not found" },
  };
  const odd = { status: 400, body: { error: "invalid_resource", error_description: "no" } };
  const html = { status: 200, body: "<html>it works</html>" };
  const foreign = { status: 401, headers: { "www-authenticate": "Basic realm=/etc/shadow" } };
  const verdicts: readonly (readonly [string, string, Reply, string, string])[] = [
    ["a token", "managedIdentity", token, "good", "gives tokens"],
    ["a machine without an identity", "managedIdentity", none, "wrong", "no managed identity"],
    ["another refusal of the endpoint", "managedIdentity", odd, "unknown", "an endpoint answers"],
    ["a refusal of a stranger", "managedIdentity", denied, "wrong", "no identity endpoint"],
    ["a page of a stranger", "managedIdentity", html, "wrong", "no identity endpoint"],
    ["the challenge of Azure Arc", "managedIdentity", challenge, "wrong", "no identity endpoint"],
    ["its challenge", "arc", challenge, "good", "the Arc agent"],
    ["a challenge that names another file", "arc", foreign, "wrong", "no identity endpoint"],
    ["a token without a challenge", "arc", token, "wrong", "no identity endpoint"],
    ["a page of a stranger", "arc", html, "wrong", "no identity endpoint"],
  ];
  it.each(verdicts)(
    "init calls %s at the endpoint of %s what it is",
    async (_what, identity, reply, verdict, text) => {
      const asked: { readonly headers?: unknown; readonly path?: string }[] = [];
      const checks = await checksOf(await answersOf({ ...whole, identity }, alone), {
        dial: dialer({ identity: reply }, asked),
        deadline: () => new AbortController().signal,
      });
      const found = checks.find(({ what }) => what === "identity");
      expect([found?.found, found?.text]).toEqual([verdict, expect.stringContaining(text)]);
      expect(found?.next === null).toBe(verdict === "good");
      // It asks as the agent does, and never shows what it got.
      expect(asked.map(({ headers }) => headers)).toEqual([{ metadata: "true" }]);
      expect(asked[0]?.path).toContain("resource=https%3A%2F%2Fvault.azure.net");
      expect(JSON.stringify(checks)).not.toContain("eyJ0");
    },
  );

  it("init reports a missing identity, a wrong vault, and an endangered path", async () => {
    expect(await found({ identity: "absent" })).toContain("identity wrong");
    expect(await found({ status: 404 })).toContain("vault wrong");
    expect(await found({ route: "eth1" })).toContain("own path wrong");
  });
});

describe("the ports of a host", () => {
  it("the ports of a host are the interfaces with hardware", async () => {
    const folder = mkdtempSync(join(tmpdir(), "linkseal-ports-"));
    try {
      for (const name of ["eth1", "lo", "eth0"]) {
        mkdirSync(join(folder, name));
        if (name !== "lo") mkdirSync(join(folder, name, "device"));
      }
      writeFileSync(join(folder, "eth0", "speed"), "100000\n");
      writeFileSync(join(folder, "eth1", "speed"), "-1\n");
      expect(await hostPorts(folder)).toEqual([
        { name: "eth0", gigabits: 100 },
        { name: "eth1", gigabits: undefined },
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

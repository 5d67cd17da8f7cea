// The schema of a config file: each key with its rule, default and a sentence about its purpose.

// A namespace: the bundler leaves out what is not used of it, such as messages in fifty languages.
import * as z from "zod";
import { realClouds } from "#drivers/azure/azure-url.ts";
import { platformNames } from "#drivers/index.ts";
import { quirkNames, riskNames } from "../model/desired.ts";
import { fleet } from "./fleet-schema.ts";
import {
  duration,
  durationOr,
  listOf,
  name,
  prefixes,
  secretName,
  whole,
  word,
} from "./schema-words.ts";
import { serve } from "./serve-schema.ts";
import { snmp } from "./snmp-schema.ts";
import { freezePattern } from "./span.ts";
import { ssh } from "./ssh-schema.ts";
import { telemetry } from "./telemetry-schema.ts";
import { tunnel } from "./tunnel-schema.ts";
import { speedPattern } from "./units.ts";

// A rule between keys checks which of the three forms a driver takes. A Unix socket's path has room
// for 107 octets (`sun_path` of unix(7)).
const deviceAddress = () =>
  word(
    "the address or name of a router, `ssh://` and that of a Linux host, or `unix:` and the " +
      "absolute path of a socket",
    /^(unix:\/[\w./@%+,:=~-]{1,106}|(ssh:\/\/)?([\dA-Fa-f:.]{2,45}|[\dA-Za-z][\w.-]{0,252}))$/,
    "192.0.2.1",
  );

// The rules between keys check the URL; this pattern only decides what a complaint may quote.
const vault = () =>
  word(
    "`unix:` and the absolute path of a simulated site's socket, or `https://` and a vault's name",
    /^(unix:\/[\w./@%+,:=~-]{1,106}|https:\/\/[\x21-\x7e]{1,400})$/,
    "unix:/run/linkseal-sim/site.sock",
  );

const vrf = (description: string) =>
  word(
    "the name of a routing instance: at most 128 letters, digits and _ . : @ + -",
    /^[A-Za-z0-9_][\w.:@+-]{0,127}$/,
    "azure",
  )
    .optional()
    .describe(description);

const loopbackUrl = () =>
  word(
    "`https://localhost:` and a port",
    /^https:\/\/[\x21-\x7e]{1,100}$/,
    "https://localhost:8443",
  );

const guid = () =>
  word(
    "an id such as 11111111-2222-3333-4444-555555555555",
    /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
    "11111111-2222-3333-4444-555555555555",
  );

const identity = z
  .strictObject({
    kind: z
      .enum(["arc", "managedIdentity", "clientCertificate", "workloadIdentity"])
      .meta({ description: "How the agent proves its identity to Entra.", examples: ["arc"] }),
    source: z
      .enum(["imds", "appService"])
      .optional()
      .meta({ description: "The endpoint of this host that gives a managed identity's tokens." }),
    tenant: guid().optional().describe("The directory that the application belongs to."),
    client: guid().optional().describe("The application, or a user-assigned identity's client id."),
    certificate: word(
      "`credential:NAME` of the unit, or `file:` and an absolute path",
      /^(credential:[a-z0-9][a-z0-9-]{0,62}|file:\/[\w./@%+,:=~-]{1,200})$/,
      "credential:azure-certificate",
    )
      .optional()
      .describe("One PEM with private key and certificate, readable by its owner only."),
    tokenFile: word("an absolute path", /^\/[\w./@%+,:=~-]{1,200}$/, "/run/linkseal/token")
      .optional()
      .describe("The federated token; it is read anew for each sign-in."),
  })
  .meta({ description: "The agent's own identity.", examples: ["{ kind: arc }"] });

const macsec = z
  .strictObject({
    suite: z
      .enum(["gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"])
      .meta({ description: "Cipher suite of both ends.", examples: ["gcm-aes-xpn-256"] }),
    policy: z
      .literal("mustSecure")
      .default("mustSecure")
      .meta({ description: "Nothing passes in clear; there is no other policy." }),
    includeSci: z.boolean().default(true).meta({
      description: "Whether each SecTAG carries the SCI; the far end has the same setting.",
    }),
    offset: z
      .literal([0, 30, 50])
      .default(0)
      .meta({ description: "Confidentiality offset in octets; 0 encrypts the whole frame." }),
    keyServerPriority: whole(0, 255, 16)
      .default(16)
      .meta({ description: "MKA key server priority; the lower value wins the election." }),
    replayWindow: z
      .union([
        z.literal("off"),
        z
          .int()
          .min(0)
          .max(2 ** 32 - 1),
      ])
      .meta({ title: "`off` or a whole number of frames below 2^32", examples: [64] })
      .default(64)
      .meta({ description: "How many frames may arrive late; `off` ends replay protection." }),
    sakRekey: duration(
      "1m",
      "30d",
      "8h",
      "A fresh SAK after this time; absent: by packet number.",
    ).optional(),
  })
  .meta({ description: "How the link is protected.", examples: ["{ suite: gcm-aes-xpn-256 }"] });

const link = z.strictObject({
  name: name("primary").describe("Name of the link, unique in its group."),
  device: name("edge-a").describe("The device of `devices` that has our end."),
  port: word(
    "a port name of at most 64 letters, digits and / : . _ -",
    /^[A-Za-z0-9/:._-]{1,64}$/,
    "et-0/0/0",
  ).describe("Our port, as the device names it."),
  aggregate: word(
    "the name of an aggregate, such as Bundle-Ether1, Port-channel1 or ae0",
    // A rule knows how the device's platform names one.
    /^[A-Za-z0-9 ./:_-]{1,64}$/,
    "Bundle-Ether1",
  )
    .optional()
    .describe("The aggregate that has the port as its only member; absent: as the device has it."),
  vrf: vrf("The VRF of the link's BGP; absent: that of the device, or as the device has it."),
  azureLink: z
    .enum(["link1", "link2"])
    .meta({ description: "The Microsoft end of the fibre.", examples: ["link1"] }),
  speed: word("a rate in gigabits per second, such as 10G or 100G", speedPattern, "100G").describe(
    "Line rate of the port; it decides which cipher suites are safe.",
  ),
  macsec,
  key: z
    .strictObject({
      cak: secretName("erd-demo-1-cak").describe("Secret that contains the CAK."),
      ckn: secretName("erd-demo-1-ckn").describe("Secret that contains the CKN."),
    })
    .meta({
      description: "Where the link's key is kept.",
      examples: ["{ cak: erd-demo-1-cak, ckn: erd-demo-1-ckn }"],
    }),
});

const windowExample = "Sat 02:00-06:00 Europe/Dublin";

const rotate = z.strictObject({
  on: z.enum(["vaultVersion", "age", "hand"]).default("hand").meta({
    description: "What begins one: a new key in the vault, the old one's age, an operator.",
  }),
  maxAge: duration("1h", "3650d", "90d", "A key in use for longer is a warning.").optional(),
  // A rule checks the content of each span, because it can point at the faulty one in the list.
  window: z
    .union([z.string(), z.array(z.string()).min(1).max(14)])
    .optional()
    .meta({
      title: `a weekly span such as "${windowExample}", or a list of 1 to 14`,
      description: "When it may begin by itself; absent: at any time.",
      examples: [`"${windowExample}"`],
    }),
});

const group = z.strictObject({
  name: name("erd-demo").describe("Name of the link group."),
  expressRoutePort: word(
    "the resource id of an ExpressRoute port, or its name at a simulated site",
    /^[A-Za-z0-9/._()-]{1,400}$/,
    "erd-demo",
  ).describe("The ExpressRoute Direct resource that the two links belong to."),
  drain: z
    .enum(["prepend", "gracefulShutdown", "peeringShutdown", "none"])
    .default("prepend")
    .meta({ description: "How traffic is moved off a link before it is changed." }),
  order: z
    .array(name("primary"))
    .max(2)
    .optional()
    .meta({
      title: "the names of both links",
      description: "Which link goes first; absent: as listed.",
      examples: [["primary", "secondary"]],
    }),
  freeze: z
    .array(
      word(
        'two days as "2026-12-20/2027-01-05", with a time zone after them unless they are in UTC',
        freezePattern,
        '"2026-12-20/2027-01-05"',
      ),
    )
    .max(50)
    .default([])
    .meta({
      title: "a list of at most 50 spans of days",
      description: "When no rotation begins by itself; both days are included.",
      examples: [['"2026-12-20/2027-01-05"']],
    }),
  retire: z
    .enum(["afterProof", "afterSoak"])
    .default("afterProof")
    .meta({ description: "When the old key leaves both ends." }),
  rotate: rotate.prefault({}).meta({ description: "What makes a rotation of keys begin." }),
  links: z.array(link).length(2).meta({
    title: "exactly two links, since one is only changed while the other carries traffic",
    description: "The two links; linkseal takes at most one of them out of service.",
  }),
});

const health = z.strictObject({
  poll: durationOr("1s", "1h", "5s", "How often each device is observed."),
  staleAfter: durationOr("2s", "1d", "30s", "Age at which a reading counts as stale."),
  evidence: durationOr("2s", "1d", "90s", "Span over which counters must have moved."),
  loginsAtOnce: whole(1, 1_000, 16)
    .default(16)
    .meta({ description: "How many devices are logged in to at the same time." }),
});

const rotation = z.strictObject({
  settle: durationOr("1s", "1h", "18s", "How long proof must last without a gap."),
  proofFrames: whole(1, 1_000_000, 20)
    .default(20)
    .meta({ description: "Protected frames that must have moved in each direction." }),
  verify: durationOr("1s", "1h", "60s", "Longest wait for a change to show on the device."),
  confirm: durationOr("1s", "1d", "5m", "The device undoes an unconfirmed change after this."),
  soak: durationOr("1s", "7d", "2m", "How long a link must stay healthy before `done`."),
  bake: duration("1m", "7d", "2h", "The pause before the next link of the group.").optional(),
  farEnd: durationOr("1s", "7d", "30m", "Longest wait for the far end."),
  putGrace: durationOr("1s", "1h", "90s", "How long a lost far-end write may still land."),
  overdue: durationOr("1m", "90d", "1d", "A longer wait for an operator or a check is a warning."),
  atOnce: whole(1, 1_000, 4)
    .default(4)
    .meta({ description: "How many campaigns may be open at once; an emergency is not bound." }),
  drained: z
    .strictObject({
      samples: whole(1, 100, 3)
        .default(3)
        .meta({ description: "Observations that must find it idle." }),
      every: durationOr("1s", "10m", "10s", "Time between these observations."),
    })
    .prefault({})
    .meta({ description: "When a link counts as drained." }),
});

const acceptedRisk = z.strictObject({
  risk: z
    .enum(riskNames)
    .exclude(["asFound"])
    .meta({ description: "Name of the risk.", examples: ["breakBeforeMake"] }),
  until: z.iso.date().meta({
    title: "a date such as 2027-01-31",
    description: "The last day, in UTC, on which the risk is accepted.",
    examples: ["2027-01-31"],
  }),
  reason: word(
    "one line of at most 200 printable characters",
    /^[^\p{C}\p{Zl}\p{Zp}]{1,200}$/u,
    "agreed with the network team",
  )
    .optional()
    .meta({ description: "Why, for those who read it later." }),
});

export const configSchema = z.strictObject({
  version: z.literal(1).meta({ description: "Version of this file's format.", examples: [1] }),
  site: name("demo").describe("Name of the site in status and events."),
  azure: z
    .strictObject({
      cloud: z
        .enum(["sim", ...realClouds])
        .meta({ description: "The cloud of vault and far end.", examples: ["sim"] }),
      vault: vault().describe(
        "Where keys are read; in a simulated site also where the far end is.",
      ),
      identity: identity.optional(),
      privateEndpoints: prefixes("10.20.0.0/24", 0).default([]).meta({
        title: "a list of at most 64 prefixes",
        description: "Private addresses that the vault's name may resolve to.",
      }),
      scopes: listOf(
        word(
          "the resource id of a resource group",
          /^\/subscriptions\/[0-9A-Za-z-]{1,64}\/resource[Gg]roups\/[\w.()-]{1,90}$/,
          "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/hub",
        ),
        16,
        "resource groups",
        "What `linkseal scorecard` reads beside the groups of port and connections.",
      ),
      authority: loopbackUrl().optional().describe("Where tokens come from in the loopback cloud."),
      arm: loopbackUrl().optional().describe("The management API of the loopback cloud."),
      farEnd: z
        .enum(["manual", "agent"])
        .default("manual")
        .meta({ description: "Who sets the key of the Microsoft end: an operator, or the agent." }),
    })
    .meta({ description: "The Microsoft side." }),
  devices: z
    .array(
      z.strictObject({
        name: name("edge-a").describe("Name of the device."),
        driver: z.enum(platformNames).describe("How to speak to it."),
        address: deviceAddress()
          .optional()
          .describe(
            "Where it answers; `ssh://HOST`: another Linux host; absent: the default socket of " +
              "linkseal-net.",
          ),
        vrf: vrf("The VRF of its links' BGP; `default` is the instance without a name."),
        ssh: ssh.optional(),
        snmp: snmp.optional(),
        frr: word("the name of an FRR instance", /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$/, "edge")
          .optional()
          .describe("FRR's pathspace (its option -N); absent: its only instance."),
        charon: word(
          "`unix:` and the absolute path of charon's VICI socket",
          /^unix:\/[\w./@%+,:=~-]{1,106}$/,
          "unix:/run/charon.vici",
        )
          .optional()
          .describe(
            "Where strongSwan answers; absent: the host ends no tunnel. At `ssh://HOST` the path " +
              "is that of the `linkseal peer` there.",
          ),
        quirks: z
          .array(z.enum(quirkNames).meta({ examples: [quirkNames[0]] }))
          .max(quirkNames.length)
          .default([])
          .meta({
            title: `a list of quirks (${quirkNames.join(", ")})`,
            description: "Special handling, beside what its platform needs, or instead of it.",
          }),
      }),
    )
    .min(1)
    .max(2_000)
    .meta({
      title: "a list of 1 to 2000 devices",
      description: "The devices that linkseal configures.",
    }),
  groups: listOf(group, 1_000, "groups", "The link groups."),
  tunnels: listOf(tunnel, 4_000, "tunnels", "The IPsec tunnels."),
  repair: z.enum(["off", "on"]).default("off").meta({
    description:
      "Whether drift that cannot interrupt a port is repaired, and SAs that do not carry renewed.",
  }),
  health: health.prefault({}).meta({ description: "How the state is watched." }),
  rotation: rotation.prefault({}).meta({ description: "Waits and proofs of a campaign." }),
  serve: serve.prefault({}),
  telemetry: telemetry.prefault({}),
  fleet: fleet.optional(),
  acceptRisks: z
    .array(acceptedRisk)
    .max(100)
    .default([])
    .meta({ title: "a list of accepted risks", description: "Risks accepted by name and date." }),
});

/** A file that fits the schema, with defaults filled in and units still as written. */
export type Config = z.infer<typeof configSchema>;

/** The part of JSON Schema that zod generates for `configSchema`. */
export interface SchemaNode {
  readonly title?: string;
  readonly description?: string;
  readonly examples?: readonly unknown[];
  readonly default?: unknown;
  readonly type?: string;
  readonly pattern?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly items?: SchemaNode;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
}

/** JSON Schema 2020-12 of a config file, for editors and for complaints. */
export const schemaOfFile: SchemaNode = z.toJSONSchema(configSchema, {
  io: "input",
}) as SchemaNode;

/** Returns the schema at a path of a file; undefined = the file may not have that path. */
export function schemaAt(path: readonly (string | number)[]): SchemaNode | undefined {
  let node: SchemaNode | undefined = schemaOfFile;
  for (const step of path) {
    if (typeof step === "number") node = node?.items;
    else if (node?.properties === undefined || !Object.hasOwn(node.properties, step))
      return undefined;
    else node = node.properties[step];
  }
  return node;
}

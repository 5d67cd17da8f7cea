// The schema of one tunnel.

import * as z from "zod";
import { azureFields, ikeVersions, oldProfile, policyProfiles } from "./ipsec-policy.ts";
import {
  distinguishedName,
  duration,
  identity,
  ipAddress,
  name,
  prefixes,
  secretName,
  whole,
  word,
} from "./schema-words.ts";

// A rule checks which names and numbers go together, and quotes the clause.
const customPolicy = z.strictObject(
  Object.fromEntries(
    azureFields.map((field) => [
      field,
      field.startsWith("sa") ? z.number().optional() : z.string().max(40).optional(),
    ]),
  ),
);

const connectionId =
  /^\/subscriptions\/[A-Za-z0-9/._()-]{1,480}\/(connections|vpnLinkConnections)\/\w[\w.-]{0,79}$/;

const bgp = z
  .strictObject({
    local: ipAddress("169.254.21.2").describe("Ours, on the tunnel's interface."),
    peer: ipAddress("169.254.21.1").describe("The gateway's BGP address."),
    asn: whole(1, 2 ** 32 - 1, 65_515)
      .default(65_515)
      .meta({ description: "AS of the gateway; Azure's own is 65515 unless it was changed." }),
  })
  .meta({ examples: ["{ local: 169.254.21.2, peer: 169.254.21.1 }"] });

export const tunnel = z.strictObject({
  name: name("hub-1").describe("Name of the tunnel."),
  device: name("edge-a").describe("The device of `devices` that ends the tunnel."),
  local: z
    .strictObject({
      address: ipAddress("198.51.100.1").describe("Our outer address."),
      id: identity("192.0.2.9")
        .optional()
        .describe(
          "Our identity in IKE; absent: our address, or the subject of our certificate. Behind " +
            "NAT the gateway expects the public address; `linux` alone.",
        ),
    })
    .meta({ description: "Our end.", examples: ["{ address: 198.51.100.1 }"] }),
  remote: z
    .strictObject({
      address: ipAddress("203.0.113.1").describe("The gateway's outer address."),
      id: identity("gw.partner.example")
        .optional()
        .describe(
          "The gateway's identity in IKE; absent: its address, or `auth.peer`. With a " +
            "certificate it is a name in that; `linux` alone.",
        ),
      azureConnection: word(
        "the resource id of a VPN connection",
        connectionId,
        "/subscriptions/ID/resourceGroups/NAME/providers/Microsoft.Network/connections/hub-1",
      )
        .optional()
        .describe(
          "The gateway's connection, whose own status is shown beside ours; in a Virtual WAN the " +
            "link connection: …/vpnGateways/NAME/vpnConnections/NAME/vpnLinkConnections/NAME.",
        ),
    })
    .meta({ description: "The gateway's end.", examples: ["{ address: 203.0.113.1 }"] }),
  protects: z
    .strictObject({
      local: prefixes("10.1.0.0/16").describe("What is behind us."),
      remote: prefixes("10.100.0.0/16").describe("What is behind the gateway."),
    })
    .meta({
      description: "The traffic that must ride in the tunnel.",
      examples: ["{ local: [10.1.0.0/16], remote: [10.100.0.0/16] }"],
    }),
  policy: z
    .union([z.enum([...policyProfiles, oldProfile]), customPolicy])
    .default("strong")
    .meta({
      title: `one of ${policyProfiles.join(", ")}, or a map of Azure's eight properties`,
      description: "Algorithms and lifetimes; the gateway has the same as its custom policy.",
      examples: ["strong"],
    }),
  ike: z.enum(ikeVersions).default("v2").meta({
    description:
      "Version of IKE. `v1` is main mode with a PSK, for policy-based gateways; `linux` alone.",
  }),
  auth: z
    .strictObject({
      psk: secretName("hub-1-psk").optional().describe("Secret that contains the PSK."),
      farEnd: z.enum(["manual", "agent"]).optional().meta({
        description:
          "Who sets a newer PSK at the gateway: an operator (manual, the default), or the agent.",
      }),
      certificate: secretName("hub-1-cert")
        .optional()
        .describe("Certificate of the vault, kept as PEM with its key; `linux` alone."),
      authorities: secretName("gateway-roots")
        .optional()
        .describe("Secret with the PEM of the roots that the gateway's certificate is from."),
      peer: word(
        "a distinguished name without wildcards",
        distinguishedName,
        "CN=hub-1.example.net",
      )
        .optional()
        .describe("Subject of the gateway's certificate."),
      ppk: secretName("hub-1-ppk")
        .optional()
        .describe("Secret with a postquantum preshared key (RFC 8784); `linux` alone."),
      ppkId: word(
        "a name of at most 64 letters, digits, dots, underscores and hyphens",
        /^[A-Za-z][A-Za-z0-9._-]{0,63}$/,
        "hub-1.2026",
      )
        .optional()
        .describe("The name by which both ends know the PPK, its PPK_ID."),
      ppkUse: z
        .enum(["required", "offered"])
        .optional()
        .meta({
          description:
            "Whether the tunnel may come up without the PPK: never (required, the default), or " +
            "beside a gateway that has none (offered).",
        }),
    })
    .meta({
      description: "How the ends prove who they are: by a PSK, or by certificates.",
      examples: ["{ psk: hub-1-psk }"],
    }),
  mtu: whole(1280, 9000, 1400)
    .optional()
    .meta({ description: "MTU of the packets inside; 1400 if absent, as Azure advises." }),
  dpd: duration(
    "5s",
    "5m",
    "15s",
    "Time without a packet from the gateway until it is probed; 5s if absent, with IKEv1 2s; " +
      "`linux` alone.",
  ).optional(),
  ifId: whole(1, 2 ** 32 - 1, 42)
    .optional()
    .meta({ description: "Number of its xfrm interface; absent: made of the name." }),
  bgp: bgp
    .optional()
    .meta({ description: "BGP inside of the tunnel, which brings its routes; `linux` alone." }),
  insideMacsec: name("erd-demo")
    .optional()
    .meta({ description: "Group whose MACsec the tunnel must ride inside." }),
  backs: name("erd-demo")
    .optional()
    .meta({
      description:
        "Group that the tunnel is the backup of: what it protects may ride under the MACsec " +
        "of that group's ports as well; `linux` alone.",
    }),
  prove: duration(
    "10s",
    "1d",
    "5m",
    "How often a backup is proven by test traffic through it; 5m if absent.",
  ).optional(),
});

// A tunnel as the operator wants it: addresses, algorithms, lifetimes and authentication.

import type { PortName, Transforms } from "./model.ts";

/** Algorithms of an IKE SA. The PRF is separate even for an AEAD, never part of the cipher. */
export interface IkeTransforms extends Transforms {
  /** The pseudo-random function. */
  readonly prf: string;
}

/** Lifetime of a pair of IPsec SAs; each end has its own (RFC 7296, 2.8). */
export interface SaLife {
  /** Lifetime in seconds. */
  readonly seconds: number;
  /** Lifetime in kilobytes of traffic. */
  readonly kilobytes: number;
}

/** How the ends prove who they are; secrets are named by their ids, never contained. */
export type TunnelAuth = (
  | { readonly kind: "psk"; readonly secretId: string }
  | {
      readonly kind: "certificate";
      /** Vault id of our certificate and its private key. */
      readonly secretId: string;
      /** Vault id of the authorities that may have issued the gateway's certificate. */
      readonly authoritiesId: string;
      /** Identity of the gateway: the subject of its certificate, or a name in it. */
      readonly peer: string;
    }
) & {
  /** A postquantum preshared key beside it; absent = none. */
  readonly ppk?: TunnelPpk;
};

/** A postquantum preshared key (PPK, RFC 8784), which both ends mix into the keys of IKEv2. */
export interface TunnelPpk {
  /** Vault id of the PPK. */
  readonly secretId: string;
  /** Its PPK_ID, by which both ends name it. */
  readonly id: string;
  /** `required`: without it no tunnel comes up; `offered`: a gateway without it is accepted. */
  readonly use: PpkUse;
}

/** Whether a tunnel may come up without its PPK. */
export type PpkUse = "required" | "offered";

/** The two ends of BGP inside a tunnel; each reaches the other only through the tunnel. */
export interface TunnelBgp {
  /** Our address, on the tunnel's interface. */
  readonly local: string;
  /** Address of the gateway's end. */
  readonly peer: string;
  /** The AS number of the gateway's end. */
  readonly asn: number;
}

/** One tunnel as the operator wants it. */
export interface TunnelSpec {
  /** The tunnel's name in the config. */
  readonly name: string;
  /** Our outer address. */
  readonly localAddress: string;
  /** The gateway's outer address. */
  readonly remoteAddress: string;
  /** Our prefixes, in CIDR notation. */
  readonly localPrefixes: readonly string[];
  /** Prefixes behind the gateway, in CIDR notation. */
  readonly remotePrefixes: readonly string[];
  /** Algorithms of IKE. */
  readonly ike: IkeTransforms;
  /** Algorithms of ESP. */
  readonly transforms: Transforms;
  /** Lifetime of its IPsec SAs. */
  readonly life: SaLife;
  /** MTU of the inner packets, in octets. */
  readonly mtu: number;
  /** Interface id that joins its SAs and policies with its interface, on a host that has one. */
  readonly ifId: number;
  /** How the ends prove who they are. */
  readonly auth: TunnelAuth;
  /** `v1` = IKEv1 in main mode (RFC 2409), for its one pair of prefixes; absent = IKEv2. */
  readonly ikeVersion?: "v1";
  /** Our identity in IKE; absent = our outer address, or the subject of our certificate. */
  readonly localId?: string;
  /** The gateway's identity in IKE, with a PSK; absent = its outer address. */
  readonly remoteId?: string;
  /** Seconds without a packet from the gateway until IKE probes it; absent = 15. */
  readonly dpdSeconds?: number;
  /** BGP brings its routes; absent = a route for each remote prefix leads into it. */
  readonly bgp?: TunnelBgp;
  /** Ports under whose MACsec its remote prefixes may travel too; absent = in tunnels only. */
  readonly backs?: readonly PortName[];
}

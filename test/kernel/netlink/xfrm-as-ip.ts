// Our readings of SAs and policies in the format of `ip -s xfrm`, which has no JSON output here.

import type { readPolicy, readSa } from "#drivers/linux/netlink/xfrm.ts";

type Sa = NonNullable<ReturnType<typeof readSa>>;
type Policy = NonNullable<ReturnType<typeof readPolicy>>;

const wide = (value: number): string => `0x${value.toString(16).padStart(8, "0")}`;
const short = (value: number): string => `0x${value.toString(16)}`;
const noted = (value: number): string => `${wide(value)}(${value})`;
const limit = (value: bigint | undefined, unit: string): string => `${value ?? "(INF)"}(${unit})`;

// `ip` prints the local time of a machine whose zone is UTC.
function moment(seconds: bigint): string {
  if (seconds === 0n) return "-";
  return new Date(Number(seconds) * 1000).toISOString().slice(0, 19).replace("T", " ");
}

function lifetime({ limits: l, usage: u }: Sa | Policy): string[] {
  return [
    "lifetime config:",
    `  limit: soft ${limit(l.softBytes, "bytes")}, hard ${limit(l.hardBytes, "bytes")}`,
    `  limit: soft ${limit(l.softPackets, "packets")}, hard ${limit(l.hardPackets, "packets")}`,
    `  expire add: soft ${l.softAddSeconds ?? 0}(sec), hard ${l.hardAddSeconds ?? 0}(sec)`,
    `  expire use: soft ${l.softUseSeconds ?? 0}(sec), hard ${l.hardUseSeconds ?? 0}(sec)`,
    "lifetime current:",
    `  ${u.bytes}(bytes), ${u.packets}(packets)`,
    `  add ${moment(u.addedAt)} use ${moment(u.usedAt)}`,
  ];
}

function markOf({ attributes: { mark } }: Sa | Policy): string | undefined {
  return mark === undefined ? undefined : `mark ${short(mark.value)}/${short(mark.mask)}`;
}

const protocols: Readonly<Record<number, string>> = { 6: "tcp", 17: "udp" };

function selector({ selector: s }: Sa | Policy): string {
  const protocol = s.ipProtocol === 0 ? "" : `proto ${protocols[s.ipProtocol]} `;
  const port = s.destinationPort === 0 ? "" : `dport ${s.destinationPort} `;
  return (
    `src ${s.source}/${s.sourceLength} dst ${s.destination}/${s.destinationLength} ` +
    `${protocol}${port}uid ${s.user}`
  );
}

function replayOf({ attributes: { replay, extendedReplay: wideReplay } }: Sa): string[] {
  if (wideReplay !== undefined) {
    const [low, high] = [(n: bigint) => n & 0xffff_ffffn, (n: bigint) => n >> 32n];
    const { in: received, out: sent, replayWindow, bitmap } = wideReplay;
    const hex = (value: bigint): string => `0x${value.toString(16)}`;
    return [
      "anti-replay esn context:",
      ` seq-hi ${hex(high(received))}, seq ${hex(low(received))},` +
        ` oseq-hi ${hex(high(sent))}, oseq ${hex(low(sent))}`,
      ` replay_window ${replayWindow}, bitmap-length ${bitmap.length / 8}`,
      ` ${bitmap.replaceAll(/(.{8})(?=.)/g, "$1 ")}`,
    ];
  }
  const { in: received = 0, out: sent = 0, bitmap = 0 } = replay ?? {};
  const numbers = `seq ${short(received)}, oseq ${short(sent)}, bitmap ${wide(bitmap)}`;
  return [`anti-replay context: ${numbers}`];
}

function algorithmsOf({ attributes: { aead, cutAuth, crypt } }: Sa): string[] {
  return [
    aead && `aead ${aead.name} KEY (${aead.keyBits} bits) ${aead.icvBits}`,
    cutAuth && `auth-trunc ${cutAuth.name} KEY (${cutAuth.keyBits} bits) ${cutAuth.icvBits}`,
    crypt && `enc ${crypt.name} KEY (${crypt.keyBits} bits)`,
  ].filter((line) => line !== undefined);
}

export function saAsIp(sa: Sa): string[] {
  const { attributes: a } = sa;
  const marks = [
    markOf(sa),
    a.outputMark === undefined
      ? undefined
      : `output-mark ${short(a.outputMark)}/${short(a.outputMarkMask ?? 0)}`,
  ].filter((mark) => mark !== undefined);
  const { encapsulation: udp } = a;
  // `ip` prints the number as if the octet were the first of four.
  const flags = `flag ${sa.flags === 128 ? "esn" : ""} (${wide((sa.flags & 0xf0) * 0x20_0000)})`;
  const lines: (string | undefined)[] = [
    `proto esp spi ${noted(sa.spi)} reqid ${sa.reqid}(${wide(sa.reqid)}) mode ${sa.mode}`,
    `replay-window ${sa.replayWindow} seq ${wide(sa.sequence)} ${flags}`,
    marks.length === 0 ? undefined : marks.join(" "),
    ...algorithmsOf(sa),
    udp === undefined
      ? undefined
      : `encap type espinudp sport ${udp.sourcePort} dport ${udp.destinationPort} addr 0.0.0.0`,
    ...replayOf(sa),
    a.trafficPadding === undefined ? undefined : `tfcpad ${a.trafficPadding}`,
    a.ifId === undefined ? undefined : `if_id ${short(a.ifId)}`,
    a.direction === undefined ? undefined : `dir ${a.direction}`,
    `sel ${selector(sa)}`,
    ...lifetime(sa),
    "stats:",
    `  replay-window ${sa.replayWindowFailed} replay ${sa.replayFailed}` +
      ` failed ${sa.integrityFailed}`,
  ];
  return [
    `src ${sa.source} dst ${sa.destination}`,
    ...lines.filter((line) => line !== undefined).map((line) => `\t${line}`),
  ];
}

const directions: Readonly<Record<string, string>> = { in: "in", out: "out", forward: "fwd" };

function templatesOf({ attributes: { templates = [] } }: Policy): string[] {
  return templates.flatMap((t) => [
    `tmpl src ${t.source} dst ${t.destination}`,
    `\tproto esp spi ${noted(t.spi)} reqid ${t.reqid}(${wide(t.reqid)}) ` +
      `mode ${t.mode === 1 ? "tunnel" : "transport"}`,
    `\tlevel ${t.optional ? "use" : "required"} share ${t.share === 0 ? "any" : "unique"}`,
    `\tenc-mask ${t.crypt.toString(16)} auth-mask ${t.auth.toString(16)} ` +
      `comp-mask ${t.compression.toString(16)}`,
  ]);
}

export function policyAsIp(policy: Policy): string[] {
  const { attributes: a, direction, action, index, priority, share, flags } = policy;
  const lines: (string | undefined)[] = [
    `dir ${directions[direction]} action ${action} index ${index} priority ${priority} ` +
      `ptype ${a.policyType} share ${share === 0 ? "any" : "unique"} flag  (${wide(flags)})`,
    ...lifetime(policy),
    markOf(policy),
    ...templatesOf(policy),
    a.ifId === undefined ? undefined : `if_id ${short(a.ifId)}`,
  ];
  return [
    selector(policy),
    ...lines.filter((line) => line !== undefined).map((line) => `\t${line}`),
  ];
}

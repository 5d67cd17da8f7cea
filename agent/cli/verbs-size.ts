// The verb size tunnels: how many tunnels a circuit needs.

import { type Command, InvalidArgumentError, Option } from "commander";
import { speedGbps, speedPattern } from "../config/units.ts";
import {
  cipherKind,
  type GatewaySize,
  type Generation,
  gatewaySizes,
  generationsOf,
  newestOf,
  planTunnels,
  scaleUnitMbps,
  smallestFor,
} from "../operate/gateway-size.ts";
import { usage } from "./failure.ts";
import { type Common, Session } from "./session.ts";
import { exit, verb } from "./shape.ts";

export function registerSize(program: Command): void {
  const size = program.command("size").description("how much of something is needed");
  verb(
    size
      .command("tunnels")
      .description(
        "how many IPsec tunnels fill a circuit, by Microsoft's figures; exit status 4 if none do",
      )
      .requiredOption("--circuit <speed>", "what the circuit carries, such as 10G", gigabits)
      .requiredOption("--sku <sku>", `the gateway: ${skus().join(", ")}, each with AZ too`, skuOf)
      .option(
        "--generation <n>",
        "of a VpnGw2 or VpnGw3: 1 is slower (the newest if absent)",
        generationIn,
      )
      .addOption(
        new Option("--encryption <name>", "ipsecEncryption of the policy, as Azure calls it")
          .choices(["GCMAES256", "GCMAES192", "GCMAES128", "AES256", "AES192", "AES128", "DES3"])
          .default("GCMAES256"),
      ),
    "linkseal size tunnels --circuit 10G --sku VpnGw5AZ",
  ).action(sizeTunnels);
}

const words: Readonly<Partial<Record<GatewaySize, string>>> = {
  highBandwidth: "high-bandwidth",
  virtualWan: "virtual-wan",
};

const skus = (): readonly string[] => gatewaySizes.map((size) => words[size] ?? size);

function gigabits(text: string): number {
  if (speedPattern.test(text)) return speedGbps(text) * 1000;
  throw new InvalidArgumentError("It must be a number of gigabits, such as 10G.");
}

function skuOf(text: string): GatewaySize {
  const plain = text.replace(/^(VpnGw\d)AZ$/, "$1");
  const found = gatewaySizes.find((size) => (words[size] ?? size) === plain);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`It must be one of ${skus().join(", ")}.`);
}

function generationIn(text: string): Generation {
  if (text === "1" || text === "2") return text === "1" ? 1 : 2;
  throw new InvalidArgumentError("It must be 1 or 2.");
}

interface SizeOptions extends Common {
  readonly circuit: number;
  readonly sku: GatewaySize;
  readonly generation?: Generation;
  readonly encryption: string;
}

const gbps = (mbps: number): string => `${mbps / 1000} Gbit/s`;
const nameOf = (size: GatewaySize): string =>
  size === "highBandwidth" ? "high-bandwidth (VpnGw5AZ)" : (words[size] ?? size);

async function sizeTunnels(options: SizeOptions): Promise<void> {
  const { circuit, sku, encryption } = options;
  const generation = options.generation ?? newestOf(sku);
  if (!generationsOf(sku).includes(generation)) {
    const only = generationsOf(sku).join(" and ");
    const next = "linkseal size tunnels, without --generation";
    throw usage(`${nameOf(sku)} is of generation ${only} alone`, next);
  }
  const kind = cipherKind(encryption);
  const plan = planTunnels({ size: sku, generation, kind }, circuit);
  const enough = smallestFor(kind, circuit);
  const asked = { sku, generation, encryption, circuitMbps: circuit };
  const result = { schema: "linkseal.size/1", ...asked, ...plan, enough };
  await new Session(options).show(result, () => sizeText(asked, plan, enough));
  exit(plan.fills === "whole" ? 0 : 4);
}

interface Asked {
  readonly sku: GatewaySize;
  readonly generation: Generation;
  readonly encryption: string;
  readonly circuitMbps: number;
}

function sizeText(
  { circuitMbps, sku, generation, encryption }: Asked,
  plan: ReturnType<typeof planTunnels>,
  enough: GatewaySize | undefined,
): string {
  const { tunnels, withOneSpare, perTunnelMbps, aggregateMbps, carriesMbps, tunnelsMax } = plan;
  const one = withOneSpare === undefined ? "it has no room for a spare one" : `${withOneSpare}`;
  const carry = tunnels === 1 ? "1 tunnel carries" : `${tunnels} tunnels carry`;
  const lines = [
    `${carry} ${gbps(carriesMbps)} of the circuit's ${gbps(circuitMbps)}.`,
    `${nameOf(sku)}, generation ${generation}: ${gbps(aggregateMbps)} in all,`,
    `  ${gbps(perTunnelMbps)} a tunnel with ${encryption}, ${tunnelsMax} tunnels at most`,
    `to lose nothing while one is maintained: ${one}`,
  ];
  if (plan.fills === "part") {
    lines.push(
      enough === undefined
        ? "No gateway fills this circuit: let MACsec protect all of it."
        : `The smallest gateway that fills it: ${nameOf(enough)}.`,
    );
  }
  if (sku === "virtualWan") {
    const units = Math.ceil(carriesMbps / scaleUnitMbps);
    lines.push(
      `A link connection is two of these tunnels; the gateway needs ${units} scale units.`,
    );
  } else if (sku !== "highBandwidth") {
    lines.push("A connection to an active-active gateway is two of these tunnels.");
  }
  if (sku === "highBandwidth" || enough === "highBandwidth") {
    lines.push(
      "High-bandwidth tunnels go over ExpressRoute private peering with FastPath alone, IKEv2,",
      "two connections of two tunnels each.",
    );
  }
  return [...lines, "Figures: Microsoft, January 2024; measured there, and no guarantee."].join(
    "\n",
  );
}

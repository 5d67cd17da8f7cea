// The reference and the JSON Schema of a config file, from the schema and the rules that check one.

import { charactersMax, lexemesMax } from "#agent/config/document.ts";
import { azureFields } from "#agent/config/ipsec-policy.ts";
import { laterSettings } from "#agent/config/later.ts";
import { rules } from "#agent/config/rules.ts";
import { type SchemaNode, schemaOfFile } from "#agent/config/schema.ts";
import { example, ruleOf } from "#agent/config/shape.ts";
import { profileRows } from "#agent/config/tunnel-rules.ts";
import { riskMeanings, riskNames } from "#agent/model/desired.ts";
import { jsonDocument } from "./json-document.ts";

/** Returns the text of `docs/config.schema.json`, which cannot express the rules between keys. */
export function jsonSchema(): string {
  const title = "linkseal.yaml";
  const description = "Config of a linkseal site, version 1.";
  return jsonDocument({ title, description, ...schemaOfFile });
}

const planPart = `## What a plan shows

\`linkseal plan FILE\` has two parts, and \`linkseal apply FILE\` shows both before it asks.

- First the settings in which the file differs from the config in force, each with its old
  and its new value. Elements of a list are named: \`groups[erd-demo].rotate.on\`. Defaults
  count as written.
- Changes of authority come first, marked with \`!\`, with what the agent may do by itself
  from then on: \`farEnd\`, \`repair\`, \`rotate\` with its windows and freezes, accepted
  risks, \`drain\`, \`order\`, \`retire\`, vault and identity, groups that come or go, and
  another far end of a link (\`expressRoutePort\`, \`azureLink\`).
- Then what happens on the devices, step by step, with the lines that each router of
  ours is sent as it is configured now. A secret is shown as its label. Where a router
  cannot be read, or refuses the change, the step says so.
- A link that has a key and gets another far end is marked \`check\`: which far end it had
  and gets, what was read there, where the fibre must end, and the command that shows it.
  No step follows from it. A far end that was not read is marked the same way.
- The exit status is 0 only if the file is the config in force, to the byte, and both
  ends are as it wants them. Any difference is 3, even of a comment.

\`linkseal plan --accepted\` plans the config in force: it shows how the devices differ
from it. \`linkseal config diff FILE\` shows the settings alone.

\`linkseal plan FILE --out PLAN\` saves the plan (\`linkseal.saved-plan/1\`, mode 0600) with
the text of the file. \`linkseal apply --plan PLAN\` carries out exactly that. It is
refused (\`gate.planChanged\`, exit status 6) with what has changed if another config is
in force, if a link or tunnel compares otherwise with the config, or if a step is
another one.`;

/** Returns the text of `docs/configuration.md`. */
export function configReference(): string {
  const sections = sectionsOf("", schemaOfFile);
  return `# Configuration

<!-- Generated from the schema by \`npm run docs\`. -->

This page is for those who write the config of a site.

A site is one YAML 1.2 file of at most ${charactersMax / 1e6} million characters and
${lexemesMax / 1e3},000 parts of YAML (words, marks, spaces between them): some 2,000 links.
\`linkseal validate FILE\` checks it and changes nothing; \`linkseal apply FILE\` makes it the
accepted intent. A file that merely exists in \`/etc\` has no effect.

- Durations carry a unit: \`500ms\`, \`18s\`, \`5m\`, \`8h\`, \`90d\`. Rates as well: \`100G\`.
- Text that looks like a number is quoted: \`port: "007"\`.
- The file contains no secrets, only the names of vault secrets.
- Unknown keys, duplicate keys, anchors, aliases and tags are refused.
- Every complaint reads \`file:line:column path: what, why; to correct it: what to write\`.
- \`config.schema.json\` beside this page is the same as JSON Schema. An editor with a YAML language
  server finds it by the first line of the examples and of what \`linkseal init\` writes.

## Example

\`\`\`yaml
${exampleConfig}\`\`\`

${planPart}

${sections.join("\n\n")}

## Rules between keys

${rules.map(({ says }) => `- ${says}`).join("\n")}

## IPsec policies

In the order of Azure's properties: ${azureFields.map(code).join(", ")}.

${table(
  ["profile", "as a custom policy of the gateway"],
  profileRows.map(([name, words]) => [code(name), words]),
)}

\`cnsa1\` is the suite of CNSA 1.0 for IPsec (RFC 9206). CNSA 2.0 asks for ML-KEM, which a gateway
of Azure does not offer: no profile claims it. The older name \`cnsa\` is read as \`cnsa1\`, with
a warning.

A gateway without a custom policy accepts more than \`azureDefault\` names, and weaker algorithms;
this end accepts only those of the profile.

${risksPart()}

## Not available in this version

These settings are known and refused, so that no config relies on a setting without effect.

${table(
  ["setting", "waits for"],
  laterSettings.map(({ path, values, waitsFor }) => [
    values === undefined ? code(path) : `${code(path)}: ${values.map(code).join(", ")}`,
    waitsFor,
  ]),
)}

${filesPart()}
`;
}

function filesPart(): string {
  return `## Files

${table(
  ["file", "content"],
  [
    [code("/etc/linkseal/linkseal.yaml"), "the config; in force only once it was applied"],
    [code("/usr/share/doc/linkseal/config.schema.json"), "its JSON Schema"],
    [code("/usr/share/doc/linkseal/examples"), "examples, with an Ansible role for a config"],
  ],
)}

## See also

${code("linkseal(1)")}.`;
}

function risksPart(): string {
  return `## Risks

A risk is accepted by its name and until a day. After that day it counts as not accepted.

${table(
  ["risk", "what is accepted"],
  riskNames.map((name) => [code(name), riskMeanings[name]]),
)}`;
}

// Writes one section for each map; lists of maps are named with `[]`.
function sectionsOf(path: string, map: SchemaNode): string[] {
  const members = Object.entries(map.properties ?? {});
  const rows = members.map(([key, node]) => [
    code(key),
    cell(node.items?.properties === undefined ? ruleOf(node) : (node.title ?? "a list")),
    map.required?.includes(key) === true ? "required" : defaultOf(node),
    node.description ?? "",
  ]);
  const heading = path === "" ? "## Top level" : `## ${code(path)}`;
  const own = `${heading}\n\n${table(["key", "must be", "default", "what it is for"], rows)}`;
  const inner = members.flatMap(([key, node]) => {
    const place = path === "" ? key : `${path}.${key}`;
    if (node.properties !== undefined) return sectionsOf(place, node);
    return node.items?.properties === undefined ? [] : sectionsOf(`${place}[]`, node.items);
  });
  return [own, ...inner];
}

function defaultOf(node: SchemaNode): string {
  if (node.default === undefined) return "absent";
  if (node.properties !== undefined) return "as below";
  return code(example({ default: node.default }));
}

// Pads the columns, as Biome formats Markdown.
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((cells) => cells[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((text, i) => text.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  const rule = line(widths.map((width) => "-".repeat(width)));
  return [line(head), rule, ...rows.map(line)].join("\n");
}

function code(text: string): string {
  return `\`${text}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

/** The far end of the group that `linkseal sim` serves. */
const port = [
  "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/demo",
  "/providers/Microsoft.Network/expressRoutePorts/erd-demo",
].join("");

const exampleConfig = `version: 1
site: demo
azure:
  cloud: sim
  vault: unix:/run/linkseal-sim/site.sock
  farEnd: agent
devices:
  - name: edge-a
    driver: sim
    address: unix:/run/linkseal-sim/site.sock
  - name: edge-b
    driver: sim
    address: unix:/run/linkseal-sim/site.sock
groups:
  - name: erd-demo
    expressRoutePort: ${port}
    drain: prepend
    order: [primary, secondary]
    rotate: { on: vaultVersion, maxAge: 90d, window: "Sat 02:00-06:00 Europe/Dublin" }
    freeze: ["2026-12-20/2027-01-05"]
    links:
      - name: primary
        device: edge-a
        port: et-0/0/0
        azureLink: link1
        speed: 100G
        macsec: { suite: gcm-aes-xpn-256, sakRekey: 8h }
        key: { cak: erd-demo-1-cak, ckn: erd-demo-1-ckn }
      - name: secondary
        device: edge-b
        port: et-0/0/0
        azureLink: link2
        speed: 100G
        macsec: { suite: gcm-aes-xpn-256 }
        key: { cak: erd-demo-2-cak, ckn: erd-demo-2-ckn }
tunnels:
  - name: hub-1
    device: edge-a
    local: { address: 198.51.100.1 }
    remote: { address: 203.0.113.1 }
    protects: { local: [10.1.0.0/16], remote: [10.100.0.0/16] }
    auth: { psk: hub-1-psk }
    insideMacsec: erd-demo
acceptRisks:
  - { risk: breakBeforeMake, until: 2027-01-31, reason: first keys of both links }
`;

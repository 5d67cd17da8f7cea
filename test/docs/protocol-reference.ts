// docs/protocol.md: the served routes, with the rules that apply to all of them.

import type { SocketRole } from "#agent/api/route.ts";
import { routes } from "#agent/api/routes.ts";
import { causedRows, plainRows, sharedCausedRows, sharedRows } from "#agent/model/reason-rows.ts";
import { causeCodes } from "#agent/model/reason-text.ts";
import { errorRows } from "#hal/error.ts";
import { jsonDepthMax } from "#hal/json.ts";

export function protocolReference(): string {
  return `${head}
## Requests on both sockets

${routeTable("view")}

## Requests on the admin socket only

${routeTable("admin")}

## Error codes

\`linkseal explain CODE\` and [codes.md](codes.md) say what each means.

| code | try again | exit status |
| --- | --- | --- |
${Object.entries(errorRows)
  .map(([code, { retry, exit }]) => `| \`${code}\` | ${retryWords[retry]} | ${exit} |`)
  .join("\n")}
`;
}

const retryWords = {
  never: "no",
  later: "later",
  afterLook: "after a look at the device",
} as const;

function routeTable(role: SocketRole): string {
  const rows = Object.entries(routes)
    .filter(([, route]) => route.role === role)
    .map(([request, { title, members }]) => {
      const takes = members.map((name) => `\`${name}\``).join(", ");
      return `| \`${request}\` | ${takes} | ${title} |`;
    });
  return ["| request | members | answer |", "| --- | --- | --- |", ...rows].join("\n");
}

/** Every code of a row with its sentence; `…` stands for the sentence of the cause. */
function reasonRows(): string {
  const all = { ...plainRows, ...causedRows };
  const shared = { ...sharedRows, ...sharedCausedRows };
  const textOf = (text: string | ((cause: string) => string)): string =>
    typeof text === "string" ? text : text("…");
  return [
    ...Object.entries(shared).map(([name, text]) => `| \`STATE.${name}\` | ${textOf(text)} |`),
    ...Object.entries(all).map(([code, text]) => `| \`${code}\` | ${textOf(text)} |`),
  ].join("\n");
}

const head = `# The local protocol

<!-- Generated from the routes by \`npm run docs\`. -->

This page is for those who write programs that ask the agent.

The agent serves HTTP/1.1 on two Unix sockets. \`view.sock\` only reads; \`admin.sock\` does all
that \`view.sock\` does and also changes. A user who may open a socket may use it: in a system
installation \`view.sock\` belongs to the group \`linkseal\` and \`admin.sock\` to
\`linkseal-admin\`, both 0660 in \`/run/linkseal\`; everywhere else both are 0600.

\`\`\`sh
curl --unix-socket /run/linkseal/view.sock http://localhost/v1/status
curl --unix-socket /run/linkseal/admin.sock http://localhost/v1/enrol \\
  --json '{"target": "erd-dub", "risks": ["breakBeforeMake"]}'
\`\`\`

## Framing and limits

- One request on a connection; the agent answers with \`content-length\` and closes. A request with
  \`transfer-encoding\` is answered with status 411 and one line of text.
- The body of a POST is one JSON object in UTF-8 of at most 2,000,000 bytes, nested ${jsonDepthMax}
  deep at most, and \`{}\` may be left out. A GET has its members in the query. A request with a
  member that the table does not have is refused, with its name. The view socket reads no body, and
  makes nothing but codes for the status page.
- A request is read whole before any of it is done: one that cannot be read has no effect.
- A request must be complete within 5 s, and an answer be taken within 10 s. Of answers that are
  not taken yet each socket keeps 8 MiB: the oldest is cut off.
- Each socket serves 64 connections, of which one user of the host has at most 32. The oldest one
  that has sent no request yet is closed for a new one.
- Requests that wait (\`/v1/events\` with \`waitMs\`, \`/v1/keys\`, \`/v1/doctor\`,
  \`/v1/scorecard\`, \`/v1/report\`) are limited to 16 of one user and 32 in all on each socket;
  one more is answered with status 429 and \`agent.busy\`. The kernel says which user a client is;
  without the native addon all clients of a socket count as one.
- A client that disconnects cancels its query. A change that was accepted stays accepted.
- \`/v1/keys\` and \`/v1/doctor\` read each secret version in the vault once, and begin to read
  after the request. Requests that wait share one round, and 3 s pass between two rounds; \`at\` of
  the keys is when the round began. The same holds for \`/v1/scorecard\`.
- These reports together send at most 100 requests to Azure at once, and 10 a second after them;
  they wait for it, and campaigns and polls do not.
- The agent keeps 1,000 events, or 40 for each link and tunnel if that is more. \`lost\` counts
  those after \`after\` that are not kept any more.
- The agent reads user, group and process of a client from the kernel before the first octet, and
  records them with each request that changes something ([evidence](evidence.md#the-audit-log)).
- A request that changes something is in the audit log before its answer. If the log cannot store
  it, the answer has the member \`unrecorded\`, one sentence: the request is carried out all the
  same, and its record is written once there is room.
- Every answer is one JSON document: with status 200 the shape that the table names, else
  \`linkseal.error/1\`.

## Errors

\`\`\`json
{ "schema": "linkseal.error/1", "code": "gate.busy", "effect": "none", "where": "erd-dub",
  "text": "a campaign runs on this group", "next": "linkseal rotation show erd-dub" }
\`\`\`

- \`effect\` tells what may have happened to a device or the far end: \`none\`, \`applied\`, or
  \`unknown\`; after \`unknown\`, read the state before anything else.
- \`next\` is the next safe command.
- Status 400 is a mistake in the request, 403 a request that this socket does not take, 413 a
  request that is too long, and 409 every other refusal.

## Keys in a status

Each link of \`linkseal.status/1\` names up to three keys by their CKN. They differ while a
rotation runs.

- \`keyInUse\`: the key that MKA uses now (its principal CKN), as the router reported it last; null
  if no recent observation shows one. In an emergency this one counts.
- \`ckn\`, with \`keyVersion\` and \`keyAgeDays\`: the key that was accepted last, by an enrolment,
  an adoption or a finished rotation; null where none is.
- \`keyNext\`: the key that the running campaign brings in; null where there is none.

\`confidentiality.offset\` is the number of octets that each frame leaves readable by its
settings, and \`confidentiality.received\` what the counters prove of received frames:
\`encrypted\`, \`readable\`, \`unsettled\` (the next reading decides),
\`unproven\` (refused frames may explain readable octets),
\`noFrames\`, or \`notVisible\` on this platform; null = no fresh evidence.
\`confidentiality.sent\` is what the router's own settings and counters show of sent frames:
\`encrypted\`, \`readable\` or \`unproven\`.

\`laterSaks\` counts the SAKs that were in use after the first one of a rotated key: \`seen\` of
\`needed\`. It is null where the rotation proved them, and once the link is protected under the
last one.

## One link, and what to do

\`GET /v1/link\` has both ends of a link: \`router\` (keys by CKN, settings, counters of MKPDUs and
frames as decimal text, BGP sessions), \`farEnd\` (the two secret ids, cipher, SCI, states; null =
never read), \`wanted\` (cipher, SCI and ids of the accepted pair), the link of the status, and
\`reasons\`, each with its \`severity\` and \`steps\`.

A step has \`text\`, a sentence, and \`commands\`: each with \`where\` it is typed
(\`edge-a (junos)\`, \`Azure\`, \`this host\`), its \`lines\`, or a \`note\` where there are none.
A word in \`<...>\` in a line stands for a value that a person puts there. \`GET /v1/steps\` has the
steps of any code; what \`about\` does not name in the config has no commands. The command prints
the same in \`linkseal.explain/1\`, \`linkseal.links/1\` (\`detail\`), \`linkseal.tunnels/1\`
(\`steps\`) and \`linkseal.night/1\`.

## Severity

A code has one severity (\`error\`, \`warning\`, \`info\`), in status, doctor, explain, events and
webhook. An event of a recovery has the severity of the new state; \`resolves\` is the code that it
ends, and \`ends\` the severity that this had.

## Documents of the driver verbs

The agent does not serve these: the command prints them.

\`\`\`json
{ "schema": "linkseal.read/1", "driver": "iosxe", "release": "17.12.1", "model": null,
  "query": "show version", "understood": { "version": "17.12.1", "platform": "c8500-12x4qc",
  "restartedAt": null }, "unknown": [{ "what": "restartedAt", "why": "unparsed" }] }
\`\`\`

- \`understood\`: what the driver's reader made of the reply, with one member for each value; its
  members depend on the query and may grow. null = nothing.
- \`unknown\`: each value that is missing, and why: \`unparsed\` (the text has another form),
  \`queryFailed\` (the device refused), \`notSupported\` (the driver has no such query).
- \`linkseal.reads/1\` has \`driver\`, \`device\` (null for a bundle) and \`reads\`, each with
  \`query\`, \`understood\` and \`unknown\`.
- \`linkseal.queries/1\` has \`queries\`, each with \`name\`, \`purpose\`, \`reply\` (\`state\` or
  \`configuration\`), \`standing\` (\`confirmed\`, \`documented\`, \`inferred\`, \`unknown\`),
  \`source\`, and \`alias\` where a command line has another name for it.
- \`linkseal.edits/1\` has \`platform\` (\`driver\`, \`model\`, \`release\`) and \`edits\`, each
  with \`change\` (its first word is the contract's: \`macsec.addKey\`), \`channel\` (\`cli\` or
  \`netconf\`) and \`text\`. A key is a word such as \`KEY-OF-erd-next-cak\`, which no device
  takes.
- \`linkseal.driver-bundle/1\` has \`driver\`, \`words\` (the class of \`w1\` first) and
  \`replies\`, each with \`query\` and \`text\`, or with \`why\` where there is none.

## Documents of a plan

\`linkseal.plan/1\` of \`plan\` has these members; that of \`rotate --dry-run\` has
\`steps\`, \`notes\` and \`wouldChange\` alone.

- \`config\`: \`accepted\` is the number of the config in force (null = none), \`sha256\`
  that of the planned text. \`compared\` is \`inForce\` (the same text), \`respelled\`
  (the same settings), \`differs\`, or \`first\` (none is in force). \`settings\` lists
  \`path\`, \`old\` and \`new\` as text (null = absent), and \`authority\`: what the agent
  may do from then on (null = nothing changes).
- \`steps[].sends\`: \`kind\` is \`lines\`, with \`lines\`; \`undoes\`, with the number of a
  \`step\`; or \`unknown\`, with \`why\`. Absent = nothing is sent to a device of ours.
- \`steps[].by\`: \`person\` = not the agent; \`reconcile\` = the agent, without a
  campaign.
- \`notes[].kind\`: \`limit\` = nothing differs; \`check\` = a person compares
  the far end with the config first; absent = something differs, or cannot be
  read.
- \`wouldChange\`: a step is the agent's to do. \`differs\`: the exit status is 3.
- \`agreed\`: what \`apply\` compares: \`accepted\`, \`sha256\`, a digest of each link and
  tunnel in \`states\`, and one of each step in \`steps\`.

\`linkseal.saved-plan/1\` has \`file\`, \`text\` and \`plan\`; \`linkseal.config-changes/1\`
has \`file\` and the members of \`config\`.

## The far end of a campaign

\`farEnd\` of \`linkseal.campaign/1\` is what an operator sets at the far end of the link under way
(\`azure.farEnd: manual\`); null where the agent does, or where there is nothing to set.

- \`when\`: \`now\` in \`switching\` on a drained link, until the far end has moved, and in
  \`held\` where the old pair is asked for; else \`notYet\`. A change before \`now\` may
  interrupt the link.
- \`to\`: \`new\` or \`old\`, the pair of \`cakSecretId\` and \`cknSecretId\`, with
  \`cipher\` and \`sciState\`, for \`link\` of \`resource\`.
- \`drained\`: whether the traffic is moved away.
- \`command\`: one line for a POSIX shell that makes this change; null before \`now\`, or where
  there is none: then \`note\` says what to do.
- \`cloud\`: the cloud of \`az cloud set\`; null if az has none.

## Reasons of a campaign

\`until\` is when the state has lasted too long (null = it has no deadline), and \`ahead\` lists the
steps after it with the time that each is expected to take (empty = not known).

A campaign of \`linkseal.campaign/1\` and each of its \`steps\` say why twice: \`because\` is the
sentence for a person, \`reason\` is the same for a script.

\`\`\`json
{ "because": "gate.siblingUnhealthy: secondary is not carrying: it is drained",
  "reason": { "code": "gated.closed", "cause": { "code": "gate.siblingUnhealthy",
    "sibling": "secondary", "cause": { "code": "sibling.drained" } } } }
\`\`\`

- \`code\` is \`STATE.WHAT\` for what the campaign decided in that state, \`begin.*\`, \`next.link\`
  or \`operator.*\` (with \`by\`) for how it came there, \`recorded\` (with \`text\`) for a sentence
  that an earlier version stored.
- \`cause\` is what was observed below it; a cause may have a cause. The codes that begin with
  \`gate.\` are those of [codes.md](codes.md).
- The other members are the arguments of the code. Times are UTC text, and nothing is a sentence
  but \`text\`, which holds the words of a device beside its error code.
- Sentences may change in any version; codes keep their meaning, and new ones join.

The codes of causes: ${causeCodes.map((code) => `\`${code}\``).join(", ")}.

| code | sentence |
| --- | --- |
${reasonRows()}

## Versions

Paths begin with the version of the protocol, \`/v1\`, and documents name their shape and its
version. Within a version members are only added: readers ignore those they do not know.
Times are UTC as \`2026-11-24T10:00:00Z\` in shapes that are named; a bare \`at\` is in
milliseconds since 1970. Counters are decimal text, because they exceed 2^53.
`;

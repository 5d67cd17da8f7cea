// `node .ci/node.js SCRIPT ARGUMENT...`: runs a script of this clone on the Node of `npm ci`.

import { findNode, reportNoNode, runOn } from "#agent/launcher.js";

const node = findNode();
if (node === undefined) reportNoNode();
else runOn(node, process.argv.slice(2));

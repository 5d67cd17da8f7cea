// The version number, where it stands for npm too.

import manifest from "../../package.json" with { type: "json" };

export const { version } = manifest;

// The command lines that a document shows its readers.

/** Folders that are new in each run. */
const passing = /\/tmp\/linkseal-demo-\w+/g;

/**
 * Returns each command once, without comments: from blocks for a shell, after a prompt, or within a
 * sentence.
 */
export function commandLines(text: string): readonly string[] {
  const block = /^```(\w*)\n(.*?)^```$/gms;
  const inBlocks = [...text.matchAll(block)].flatMap(([, language, lines = ""]) => {
    if (language === "sh") return lines.split("\n");
    if (language !== "console") return [];
    return lines.split("\n").flatMap((line) => (line.startsWith("$ ") ? [line.slice(2)] : []));
  });
  const within = /`((?:npm|npx|sed|LINKSEAL_HOME=\S+) [^`\n]+|linkseal [^`\n]* --[^`\n]*)`/g;
  const inSentences = [...text.replaceAll(block, "").matchAll(within)].map(([, line = ""]) => line);
  const shown = new Set(inBlocks.map(bare).filter((line) => line !== ""));
  for (const line of inSentences.map(bare)) {
    // A sentence may name the beginning of a command that is shown elsewhere.
    const isPart = [...shown, ...inSentences].some((one) => one !== line && one.includes(line));
    if (!isPart) shown.add(line);
  }
  return [...shown];
}

const bare = (line: string): string =>
  line
    .replace(/(^|\s+)#\s.*$/, "")
    .replaceAll(passing, "FOLDER")
    .trim();

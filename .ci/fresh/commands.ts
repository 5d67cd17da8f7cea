// The commands that README promises to a reader with a new clone.

export interface Command {
  /** One line for a shell, word for word. */
  readonly line: string;
  /** Whether it runs until it is interrupted, or ends by itself. */
  readonly runs: "until interrupted" | "to its end";
}

const section = "## Try it";

/**
 * Reads the commands from README. Throws if README has no such section, or shows no command there.
 */
export function commandsOf(readme: string): readonly Command[] {
  const text = readme.split(`\n${section}\n`)[1]?.split("\n## ")[0] ?? "";
  const block = /^```sh\n(.*?)^```$/ms.exec(text)?.[1] ?? "";
  const lines = block.split("\n").map((line) => line.replace(/(^|\s+)#\s.*$/, "").trim());
  const commands = lines.filter((line) => line !== "");
  if (commands.length === 0) throw new Error(`README shows no command below "${section}"`);
  return commands.map((line) => ({
    line,
    runs: line.endsWith("npm start") ? "until interrupted" : "to its end",
  }));
}

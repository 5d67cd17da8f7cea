// JSON for documents, formatted as the formatter of this project does.

export function jsonDocument(value: unknown): string {
  return `${render(value, "", 0)}\n`;
}

// Formats JSON as Biome does: maps over several lines, lists on one line if they fit in 100
// columns.
function render(value: unknown, indent: string, used: number): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    const items = value.map((item) => render(item, deeper, 0));
    const flat = `[${items.join(", ")}]`;
    const fits = indent.length + used + flat.length < 100 && !flat.includes("\n");
    return fits ? flat : `[\n${deeper}${items.join(`,\n${deeper}`)}\n${indent}]`;
  }
  const members = Object.entries(value).map(([key, inner]) => {
    const name = `${JSON.stringify(key)}: `;
    return `${deeper}${name}${render(inner, deeper, name.length)}`;
  });
  return members.length === 0 ? "{}" : `{\n${members.join(",\n")}\n${indent}}`;
}

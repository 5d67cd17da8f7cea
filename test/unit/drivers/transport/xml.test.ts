import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  childOf,
  element,
  elementWith,
  everyOf,
  readXml,
  textOf,
  writeXml,
  xmlLines,
} from "#drivers/transport/xml.ts";
import { preview, Secret } from "#hal/secret.ts";

const octets = (text: string): Uint8Array => new TextEncoder().encode(text);
const read = (text: string) => readXml(octets(text), "edge-a");
const refused = async (text: string): Promise<string> => {
  const error = await read(text).then(
    () => "accepted",
    (caught: unknown) => caught,
  );
  return error instanceof Error ? error.message : String(error);
};

describe("what is written", () => {
  it("text is escaped wherever it is written", () => {
    const root = elementWith("a", { x: '"<&\n' }, element("b", "</b><c/>&amp;"), element("d"));
    expect(preview(writeXml(root))).toBe(
      '<a x="&quot;&lt;&amp;&#10;"><b>&lt;/b&gt;&lt;c/&gt;&amp;amp;</b><d/></a>',
    );
  });

  it("a secret stays in a hole of its own", () => {
    using secret = Secret.take("cak", new Uint8Array([1, 2]));
    const hole = { secret, as: "hex" } as const;
    expect(writeXml(element("a", element("b", hole)))).toEqual(["<a><b>", hole, "</b></a>"]);
  });

  it("an element as lines has one line for each leaf, and the label of a secret", () => {
    using secret = Secret.take("cak", new Uint8Array([1, 2]));
    const key = element("key", element("name", "a<b"), element("secret", { secret, as: "hex" }));
    expect(xmlLines(elementWith("keys", { operation: "merge" }, key, element("empty")))).toEqual([
      '<keys operation="merge">',
      "  <key>",
      "    <name>a&lt;b</name>",
      "    <secret>[secret cak]</secret>",
      "  </key>",
      "  <empty/>",
      "</keys>",
    ]);
  });

  it.each(["a b", "a>", "", "1a", "a:b:c", "a\n"])("%j is not a name of an element", (name) => {
    expect(() => writeXml(element(name))).toThrow("not a name");
    expect(() => writeXml(elementWith("a", { [name]: "" }))).toThrow("not a name");
  });

  it("a text that XML cannot contain is refused", () => {
    for (const text of ["\0", "\x1b[2J", "\ufffe", "\ud800"]) {
      expect(() => writeXml(element("a", text))).toThrow("XML cannot contain");
    }
  });

  it("any value arrives as the one value that it was", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "grapheme" }), async (value) => {
        const written = writeXml(element("r", elementWith("v", { at: value }, `|${value}|`)));
        const root = await read(preview(written));
        expect(root.children).toHaveLength(1);
        expect(textOf(root, "v")).toBe(`|${value}|`);
        expect(childOf(root, "v")?.attributes.get("at")).toBe(value);
      }),
      { numRuns: 300 },
    );
  });
});

describe("what is read", () => {
  it("a reply has local names, attributes, text of its own and CDATA", async () => {
    const root = await read(
      '<nc:r xmlns:nc="u" xmlns:j="v"><nc:t j:seconds="5"> a &lt; <!-- no -->' +
        " b <![CDATA[<c>]]></nc:t></nc:r>",
    );
    expect(root.name).toBe("r");
    expect(textOf(root, "t")).toBe("a <  b <c>");
    expect(childOf(root, "t")?.attributes.get("seconds")).toBe("5");
  });

  it("a reply keeps digits as they are", async () => {
    const root = await read("<r><a>007</a><a>0011223344550001</a><a>1e5</a></r>");
    expect(everyOf(root, "a").map(({ text }) => text)).toEqual(["007", "0011223344550001", "1e5"]);
  });

  const bombs = `<!ENTITY a "ha"><!ENTITY b "&a;&a;">`;
  it.each([
    ["a document type", "<!DOCTYPE r><r/>", "document type"],
    ["an entity bomb", `<!DOCTYPE r [${bombs}]><r>&b;</r>`, "document type"],
    ["an outer entity", '<!DOCTYPE r SYSTEM "file:///etc/passwd"><r/>', "document type"],
    ["an unknown entity", "<r>&nosuch;</r>", "well-formed"],
    ["a missing end", "<r><a></r>", "well-formed"],
    ["two roots", "<r/><r/>", "well-formed"],
    ["an undeclared prefix", "<x:r/>", "well-formed"],
    ["nothing", "", "well-formed"],
    ["a NUL", "<r>\0</r>", "well-formed"],
    ["a quote that does not end", '<r a="b/>', "well-formed"],
    ["an attribute twice", '<r a="1" a="2"/>', "well-formed"],
    ["another encoding", '<?xml version="1.0" encoding="UTF-16"?><r/>', "well-formed"],
    ["a colon in the target of an instruction", "<r/><?x:p?>", "well-formed"],
    ["the end of a section in a text", "<r>]]></r>", "well-formed"],
    ["depth behind a quoted end of a tag", '<a b="/>">'.repeat(200), "nested too deeply"],
    [
      "very many attributes",
      `<r ${Array.from({ length: 40_001 }, (_, n) => `a${n}=""`).join(" ")}/>`,
      "attributes",
    ],
    ["a very long attribute", `<r a="${"\t".repeat(256 * 1024 + 1)}"/>`, "too long an attribute"],
    ["very many references", `<r>${"&lt;".repeat(40_001)}</r>`, "too many references"],
    ["very many references in a value", `<r a="${"&#9;".repeat(40_001)}"/>`, "too many references"],
    ["very many comments", `<r>${"a<!---->".repeat(120_001)}</r>`, "too many elements"],
    ["depth", `${"<a>".repeat(200)}${"</a>".repeat(200)}`, "nested too deeply"],
    ["depth without an end", "<a>".repeat(1_000_000), "nested too deeply"],
  ])("a reply with %s is refused", async (_what, text, why) => {
    expect(await refused(text)).toContain(why);
  });

  it("a reply that is not UTF-8 is refused", async () => {
    await expect(readXml(Uint8Array.of(0x3c, 0xff), "edge-a")).rejects.toThrow("UTF-8");
  });

  it("a reply with too many elements is refused", async () => {
    const text = octets(`<r>${"<a/>".repeat(101)}</r>`);
    const budget = { depth: 4, elements: 101, attributes: 0, references: 0 };
    await expect(readXml(text, "edge-a", { ...budget })).rejects.toThrow("too many");
    const enough = await readXml(text, "edge-a", { ...budget, elements: 102 });
    expect(enough.children).toHaveLength(101);
  });

  it("a reply has 64 elements inside each other at most, an empty one included", async () => {
    const nested = (depth: number, inner: string): string =>
      "<a>".repeat(depth) + inner + "</a>".repeat(depth);
    expect(everyOf(await read(nested(64, "")), "a")).toHaveLength(63);
    expect(await refused(nested(65, ""))).toContain("nested too deeply");
    expect(await refused(nested(64, "<b/>"))).toContain("nested too deeply");
  });

  it("several replies share what they may have together", async () => {
    const budget = { depth: 4, elements: 5, attributes: 1, references: 1 };
    await readXml(octets("<r><a/><a b=''/></r>"), "edge-a", budget);
    expect(budget).toEqual({ depth: 4, elements: 2, attributes: 0, references: 1 });
    budget.elements += 2;
    await readXml(octets("<r>&lt;</r>"), "edge-a", budget);
    await expect(readXml(octets("<r>&lt;</r>"), "edge-a", budget)).rejects.toThrow("references");
    await expect(readXml(octets("<r a=''/>"), "edge-a", budget)).rejects.toThrow("attributes");
    budget.elements = 1;
    await expect(readXml(octets("<r><a/></r>"), "edge-a", budget)).rejects.toThrow("elements");
  });

  it("a long reply lets other work pass while it is read", async () => {
    const long = octets(`<r>${"<a>text</a>".repeat(100_000)}</r>`);
    let turns = 0;
    let isRead = false;
    const reading = readXml(long, "edge-a").then((root) => {
      isRead = true;
      return root;
    });
    while (!isRead) {
      turns += 1;
      await new Promise(setImmediate);
    }
    expect((await reading).children).toHaveLength(100_000);
    expect(turns).toBeGreaterThan(3);
  });

  it("ends of lines are one line feed, and one space in a value", async () => {
    const root = await read("<r a='1\r\n2\r3\n4\t5&#13;&#10;&#9;6'>a\r\nb\rc\n\r\n\rd</r>");
    expect(root.text).toBe("a\nb\nc\n\n\nd");
    expect(root.attributes.get("a")).toBe("1 2 3 4 5\r\n\t6");
  });

  it("a refusal quotes nothing of the reply", async () => {
    expect(await refused("<r>deadbeefdeadbeef</q>")).not.toContain("deadbeef");
  });
});

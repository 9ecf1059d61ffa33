// kubernetes-schemas.mjs SWAGGER FOLDER: JSON schemas for kubeconform, one a kind, from Kubernetes' own
// description of its API. Unknown fields are refused.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

const [, , swagger, folder] = process.argv;
const { definitions } = JSON.parse(readFileSync(swagger, "utf8"));
const either = { oneOf: [{ type: "string" }, { type: "number" }] };

const strict = (schema) => {
  if (Array.isArray(schema)) return schema.map(strict);
  if (schema === null || typeof schema !== "object") return schema;
  if (schema.format === "int-or-string") return either;
  const out = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, strict(value)]));
  if (typeof out.$ref === "string") out.$ref = `_definitions.json${out.$ref}`;
  return out;
};

for (const [name, definition] of Object.entries(definitions)) {
  if (name.endsWith(".api.resource.Quantity")) {
    definitions[name] = either;
    continue;
  }
  definitions[name] = strict(definition);
  if (definition.properties) definitions[name].additionalProperties = false;
}

mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}/_definitions.json`, JSON.stringify({ definitions }));
for (const [name, definition] of Object.entries(definitions)) {
  for (const { group, kind, version } of definition["x-kubernetes-group-version-kind"] ?? []) {
    const prefix = group === "" ? "" : `${group.split(".")[0]}-`;
    const schema = { $ref: `_definitions.json#/definitions/${name}` };
    writeFileSync(`${folder}/${kind}-${prefix}${version}.json`.toLowerCase(), JSON.stringify(schema));
  }
}

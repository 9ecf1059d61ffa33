// check-release.mjs PROGRAM BOM MODULES: neither the list of dependencies in the program nor the bill of materials
// beside it lacks anything of `cargo tree`, which comes on standard input as "name version" lines; and the bill is valid.
// (Both may name more: they are made from all that Cargo resolves, with what optional features of others would bring.)
// MODULES is a folder with the npm package @cyclonedx/cyclonedx-library.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { inflateSync } from "node:zlib";

const [, , program, bom, modules] = process.argv;
const faults = [];
const without = (some, others) => [...some].filter((name) => !others.has(name));
const fault = (what, names) => names.length > 0 && faults.push(`${what} ${names.join(", ")}`);

const tree = new Set(readFileSync(0, "utf8").split("\n").filter(Boolean));

// cargo-auditable: zlib-compressed JSON in a section of the program.
const section = `${modules}/dependencies.z`;
const only = ["--only-section=.dep-v0", "--set-section-flags=.dep-v0=alloc", "--output-target=binary"];
execFileSync("objcopy", [...only, program, section]);
const { packages } = JSON.parse(inflateSync(readFileSync(section)));
const inside = new Set(packages.map(({ name, version }) => `${name} ${version}`));
fault("the program's list lacks", without(tree, inside));

const text = readFileSync(bom, "utf8");
const { Validation, Spec } = createRequire(`${modules}/`)("@cyclonedx/cyclonedx-library");
const invalid = await new Validation.JsonStrictValidator(Spec.Version.v1dot5).validate(text);
if (invalid) faults.push(`the bill of materials is not CycloneDX 1.5: ${JSON.stringify(invalid)}`);
const { metadata, components } = JSON.parse(text);
const listed = new Set([metadata.component, ...components].map(({ name, version }) => `${name} ${version}`));
fault("the bill of materials lacks", without(tree, listed));

for (const line of faults) console.error(line);
console.log(`${inside.size} packages in the program, ${listed.size} in the bill of materials`);
process.exit(faults.length > 0 ? 1 : 0);

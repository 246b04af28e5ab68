// Validates answers of an HTTP API by its OpenAPI document. Standard input is one JSON object: {"document": …, "answers": [{"pointer": …, "value": …}]}.
// Prints one line for each answer: ok, or what is wrong.
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");

const Ajv = createRequire(`${process.argv[2]}/`)("ajv/dist/2020").default;
const { document, answers } = JSON.parse(readFileSync(0, "utf8"));
const ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: false, validateFormats: false, allErrors: true });
for (const part of Object.keys(document)) ajv.addKeyword(part); // OpenAPI's own; below them all is strict
ajv.addSchema(document, "document");
for (const { pointer, value } of answers) {
  const validate = ajv.getSchema(`document#${pointer}`);
  console.log(!validate ? `no schema at ${pointer}` : validate(value) ? "ok" : ajv.errorsText(validate.errors).replaceAll("\n", " "));
}

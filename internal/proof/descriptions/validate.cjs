// Compiles every definition of the schemas in strict mode of ajv, and validates the values that stand on standard input, one JSON
// object a line: {"schema": reference, "value": …}. Prints one line for each: ok, or what is wrong.
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");

const [, , modules, folder] = process.argv;
const Ajv = createRequire(`${modules}/`)("ajv/dist/2020").default;
const ajv = new Ajv({
  strict: true,
  allErrors: true,
  logger: {
    log() {},
    warn(m) {
      throw new Error(m);
    },
    error(m) {
      throw new Error(m);
    },
  },
});
for (const name of ["record.schema.json", "message.schema.json"]) {
  const schema = JSON.parse(readFileSync(`${folder}/${name}`, "utf8"));
  ajv.addSchema(schema, name);
}
for (const name of ["record.schema.json", "message.schema.json"]) {
  ajv.getSchema(name);
  for (const part of Object.keys(JSON.parse(readFileSync(`${folder}/${name}`, "utf8")).$defs)) ajv.getSchema(`${name}#/$defs/${part}`);
}
for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const { schema, value } = JSON.parse(line);
  const validate = ajv.getSchema(schema);
  console.log(validate(value) ? "ok" : ajv.errorsText(validate.errors));
}

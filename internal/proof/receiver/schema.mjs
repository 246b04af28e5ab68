// As much of JSON Schema 2020-12 as docs/schema uses.
import { readFileSync } from "node:fs";

/** Reads the schemas of a folder and returns a function (reference, value) that says what is wrong, "" if nothing. */
export function schemas(folder) {
  const files = new Map();
  const file = (name) => {
    if (!files.has(name)) files.set(name, JSON.parse(readFileSync(`${folder}/${name}`, "utf8")));
    return files.get(name);
  };
  const find = (ref, base) => {
    const [name, path = ""] = ref.split("#");
    const where = name || base;
    return [
      path
        .split("/")
        .filter(Boolean)
        .reduce((s, part) => s[part], file(where)),
      where,
    ];
  };
  const is = {
    object: (v) => v !== null && typeof v === "object" && !Array.isArray(v),
    array: Array.isArray,
    null: (v) => v === null,
    string: (v) => typeof v === "string",
    boolean: (v) => typeof v === "boolean",
    integer: Number.isSafeInteger,
  };
  const check = (s, v, base, at) => {
    if (s === true) return "";
    if (s === false) return `${at}: must not be there`;
    if (s.$ref) {
      const [target, where] = find(s.$ref, base);
      const wrong = check(target, v, where, at);
      if (wrong) return wrong;
    }
    const types = [s.type ?? []].flat();
    if (types.length && !types.some((t) => is[t](v))) return `${at}: no ${types}`;
    if ("const" in s && v !== s.const) return `${at}: not ${JSON.stringify(s.const)}`;
    if (s.enum && !s.enum.includes(v)) return `${at}: none of ${s.enum}`;
    if (typeof v === "number" && (v < s.minimum || v > s.maximum)) return `${at}: ${v} is out of range`;
    if (typeof v === "string") {
      const n = [...v].length;
      if (n < s.minLength || n > s.maxLength) return `${at}: ${n} characters`;
      if (s.pattern && !new RegExp(s.pattern, "u").test(v)) return `${at}: does not match ${s.pattern}`;
    }
    if (is.array(v)) {
      if (v.length < s.minItems || v.length > s.maxItems) return `${at}: ${v.length} items`;
      if (s.uniqueItems && new Set(v).size < v.length) return `${at}: an item stands twice`;
      for (const [i, e] of v.entries()) {
        const wrong = s.items !== undefined && check(s.items, e, base, `${at}/${i}`);
        if (wrong) return wrong;
      }
    }
    if (is.object(v)) {
      const names = Object.keys(v);
      if (names.length > s.maxProperties) return `${at}: ${names.length} names`;
      for (const r of s.required ?? []) if (!(r in v)) return `${at}: ${r} is missing`;
      for (const n of names) {
        const inner = s.properties && Object.hasOwn(s.properties, n) ? s.properties[n] : s.additionalProperties;
        const wrong =
          (s.propertyNames && check(s.propertyNames, n, base, `${at}/${n}`)) ||
          (inner !== undefined && check(inner, v[n], base, `${at}/${n}`));
        if (wrong) return wrong;
      }
    }
    for (const part of s.allOf ?? []) {
      const wrong = check(part, v, base, at);
      if (wrong) return wrong;
    }
    if (s.oneOf) {
      const wrongs = s.oneOf.map((part) => check(part, v, base, at));
      if (wrongs.filter((w) => !w).length !== 1) return wrongs.find((w) => w && !w.includes("/kind:")) || `${at}: not one of the forms`;
    }
    if (s.not && !check(s.not, v, base, at)) return `${at}: is what it must not be`;
    if (s.if && !check(s.if, v, base, at)) return s.then ? check(s.then, v, base, at) : "";
    return s.if && s.else ? check(s.else, v, base, at) : "";
  };
  return (ref, v) => check(...[find(ref, "")].flatMap(([s, where]) => [s, v, where, ""]));
}

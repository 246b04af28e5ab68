// JSON as docs/receiver.md wants it read: each name once in its object, and where each value begins and ends, since the bytes of a
// record or a body are what is hashed and signed.

/** Thrown for what is no JSON, or has a name twice. */
export class JSONError extends Error {}

/** A value with the text that it was read from. */
export function parse(text, { once = true } = {}) {
  let at = 0;
  const spans = new WeakMap(); // of each object and array: where its members stand
  const fail = (what) => {
    throw new JSONError(`${what} at ${at}`);
  };
  const space = () => {
    while (at < text.length && " \t\n\r".includes(text[at])) at++;
  };
  const take = (c) => {
    space();
    if (text[at] !== c) fail(`${c} expected`);
    at++;
  };
  const string = () => {
    const m = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
    m.lastIndex = at;
    const found = m.exec(text);
    if (!found) fail("a string expected");
    at = m.lastIndex;
    const s = JSON.parse(found[0]);
    if (once && /\p{Surrogate}/u.test(s)) fail("half a surrogate pair");
    return s;
  };
  const scalar = () => {
    const m = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null/y;
    m.lastIndex = at;
    const found = m.exec(text);
    if (!found) fail("a value expected");
    at = m.lastIndex;
    const v = JSON.parse(found[0]);
    // Integers have no fraction and no exponent; what is no plain one is none.
    return typeof v === "number" && /[.eE]/.test(found[0]) ? NaN : v;
  };
  const members = (close, one) => {
    at++;
    space();
    if (text[at] === close) {
      at++;
      return;
    }
    for (;;) {
      one();
      space();
      if (text[at] === close) {
        at++;
        return;
      }
      take(",");
      space();
    }
  };
  const value = (depth) => {
    if (depth > 100) fail("too deep");
    space();
    const where = Object.create(null);
    if (text[at] === "{") {
      const v = Object.create(null);
      members("}", () => {
        const name = string();
        if (name in v && (once || depth === 0)) fail(`the name ${name} stands twice`);
        take(":");
        space();
        const begin = at;
        v[name] = value(depth + 1);
        where[name] = [begin, at];
      });
      spans.set(v, where);
      return v;
    }
    if (text[at] === "[") {
      const v = [];
      members("]", () => {
        const begin = at;
        v.push(value(depth + 1));
        where[v.length - 1] = [begin, at];
      });
      spans.set(v, where);
      return v;
    }
    return text[at] === '"' ? string() : scalar();
  };
  const v = value(0);
  space();
  if (at < text.length) fail("something follows");
  return { value: v, text: (of, name) => text.slice(...spans.get(of)[name]) };
}

/** Bytes as text, each byte of which is UTF-8. */
export function utf8(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new JSONError("no UTF-8");
  }
}

// Keys, signatures, and the link in the QR code.
import { createHash, createPublicKey, sign, verify } from "node:crypto";
import { sm2Point, sm2Verified } from "./sm2.mjs";

export const sha256 = (bytes) => createHash("sha256").update(bytes).digest();
/** A key of Ed25519, or that of a box which signs in SM2 with its point. */
export const publicKey = (text) => text.startsWith("sm2:") ? { alg: "sm2", point: sm2Point(Buffer.from(text.slice(4), "base64url")) }
  : createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: text }, format: "jwk" });
export const publicText = (key) => createPublicKey(key).export({ format: "jwk" }).x;
export const verified = (key, bytes, signature) => key.alg === "sm2"
  ? sm2Verified(key.point, Buffer.concat([Buffer.from("sm2\n"), bytes]), signature) : verify(null, bytes, key, signature);

/** What the centre says, signed for a purpose. */
export function seal(key, purpose, body) {
  const text = JSON.stringify(body);
  return `{"v":1,"body":${text},"sig":"${sign(null, Buffer.from(`hcp/1 ${purpose}\n${text}`), key).toString("base64")}"}`;
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const deviceLetters = "-0123456789abcdefghijklmnopqrstuvwxyz";

function base32(bytes) {
  let out = "";
  let bits = 0n;
  let n = 0;
  for (const b of bytes) {
    bits = (bits << 8n) | BigInt(b);
    for (n += 8; n >= 5; n -= 5) {
      out += letters[Number((bits >> BigInt(n - 5)) & 31n)];
    }
    bits &= (1n << BigInt(n)) - 1n;
  }
  return n ? out + letters[Number((bits << BigInt(5 - n)) & 31n)] : out;
}

function unbase32(token) {
  const out = [];
  let bits = 0;
  let n = 0;
  for (const c of token) {
    const digit = letters.indexOf(c);
    if (digit < 0) return null;
    bits = ((bits << 5) | digit) & 0xfff;
    if ((n += 5) >= 8) out.push((bits >> (n -= 8)) & 255);
  }
  return Buffer.from(out);
}

/** Reads a rating link; keyOf(device) is the public key of an enrolled box, or null. It returns null for what is no link of one of them. */
export function readLink(link, keyOf) {
  const token = /^[^?#]*\/[Rr]\/([A-Za-z2-7]{138})$/.exec(link)?.[1].toUpperCase();
  const bytes = token && unbase32(token);
  if (!bytes || bytes.length !== 86 || base32(bytes) !== token || bytes[0] !== 1) return null;
  let packed = bytes.readBigUInt64BE(1);
  let device = "";
  for (let i = 0; i < 12; i++, packed /= 38n) {
    const digit = Number(packed % 38n);
    if (digit) device = deviceLetters[digit - 1] + device;
    else if (device) return null;
  }
  const flags = bytes[21];
  const key = packed === 0n && keyOf(device);
  if (!key || flags > 7 || !verified(key, Buffer.concat([Buffer.from("hcp/1 link\n"), bytes.subarray(0, 22)]), bytes.subarray(22)))
    return null;
  return {
    device,
    visit: bytes.subarray(9, 17).toString("hex"),
    issued: bytes.readUInt32BE(17) * 60000,
    synced: !!(flags & 1),
    subjects: [flags & 2 && "staff", flags & 4 && "matter"].filter(Boolean),
  };
}

const life = 600_000; // milliseconds

/** Whether a link may still be used. Closed is when the outcome of its visit arrived, undefined if it has not. */
export function alive(link, now, closed) {
  if (link.synced && link.issued <= now + life) return now < link.issued + life + 60_000;
  return closed === undefined || now - closed < life;
}

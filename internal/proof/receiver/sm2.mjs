// SM2 signatures by GB/T 32918.2 over SM3, from the standard's text: for checking only, and slow.
import { createHash } from "node:crypto";

const p = 0xfffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffffn;
const a = p - 3n;
const b = 0x28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93n;
const n = 0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123n;
const G = [0x32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7n,
  0xbc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0n];

const mod = (x, m = p) => ((x % m) + m) % m;
const number = (bytes) => BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
const bytes32 = (x) => Buffer.from(x.toString(16).padStart(64, "0"), "hex");

function inverse(x) {
  let [r0, r1, t0, t1] = [p, mod(x), 0n, 1n];
  while (r1) {
    const q = r0 / r1;
    [r0, r1, t0, t1] = [r1, r0 - q * r1, t1, t0 - q * t1];
  }
  return mod(t0);
}

/** The sum of two points; null is the one at infinity. */
function add(one, two) {
  if (!one || !two) return one ?? two;
  if (one[0] === two[0] && mod(one[1] + two[1]) === 0n) return null;
  const slope = one[0] === two[0] ? (3n * one[0] * one[0] + a) * inverse(2n * one[1]) : (two[1] - one[1]) * inverse(two[0] - one[0]);
  const x = mod(slope * slope - one[0] - two[0]);
  return [x, mod(slope * (one[0] - x) - one[1])];
}

function times(k, point) {
  let sum = null;
  for (; k; k >>= 1n, point = add(point, point)) {
    if (k & 1n) sum = add(sum, point);
  }
  return sum;
}

/** The point of a key's 65 bytes. */
export function sm2Point(bytes) {
  const [x, y] = bytes.length === 65 && bytes[0] === 4 ? [number(bytes.subarray(1, 33)), number(bytes.subarray(33))] : [p, p];
  if (x >= p || y >= p || mod(y * y) !== mod(x * x * x + a * x + b)) throw new Error("this is no point of SM2's curve");
  return [x, y];
}

/** Reports whether 64 bytes, r and s, are the signature of a text by the owner of a point. */
export function sm2Verified(point, text, signature, user = "1234567812345678") {
  const sm3 = (...parts) => createHash("sm3").update(Buffer.concat(parts)).digest();
  const [r, s] = signature.length === 64 ? [number(signature.subarray(0, 32)), number(signature.subarray(32))] : [0n, 0n];
  if (r < 1n || r >= n || s < 1n || s >= n || mod(r + s, n) === 0n) return false;
  const id = Buffer.from(user);
  const z = sm3(Buffer.from([id.length >> 5, (id.length << 3) & 255]), id, ...[a, b, ...G, ...point].map(bytes32));
  const sum = add(times(s, G), times(mod(r + s, n), point));
  return sum !== null && mod(number(sm3(z, text)) + sum[0], n) === r;
}

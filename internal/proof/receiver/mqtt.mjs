// As much of MQTT 3.1.1 as a receiver needs: a clean session, subscriptions and publishing at QoS 1, and PUBACK by the caller's word.
import { connect } from "node:net";

const field = (b) => Buffer.concat([Buffer.from([b.length >> 8, b.length & 255]), b]);
const text = (s) => field(Buffer.from(s));

function packet(head, ...parts) {
  const body = Buffer.concat(parts);
  const size = [];
  let n = body.length;
  do {
    size.push((n & 127) | (n > 127 ? 128 : 0));
    n >>= 7;
  } while (n > 0);
  return Buffer.concat([Buffer.from([head, ...size]), body]);
}

/**
 * Logs in and subscribes. Received(topic, payload, done) is called for each message; done is to be called when it is committed. The
 * returned object publishes and ends; its property "ended" is a promise.
 */
export async function session({ host, port, id, username, password, filters, received }) {
  const socket = connect({ host, port, noDelay: true });
  let buffer = Buffer.alloc(0);
  let next = 0;
  const waiting = new Map(); // by packet type and identifier
  const number = () => (next = (next % 65535) + 1);
  const answer = (key) => new Promise((resolve, reject) => waiting.set(key, { resolve, reject }));
  const settle = (key, value) => {
    waiting.get(key)?.resolve(value);
    waiting.delete(key);
  };
  const take = (head, body) => {
    const type = head >> 4;
    if (type === 2) settle("login", body[1]);
    if (type === 4) settle(`pub${body.readUInt16BE(0)}`);
    if (type === 9) settle(`sub${body.readUInt16BE(0)}`, [...body.subarray(2)]);
    if (type !== 3) return;
    const qos = (head >> 1) & 3;
    const length = body.readUInt16BE(0);
    const topic = body.toString("utf8", 2, 2 + length);
    const end = 2 + length + (qos ? 2 : 0);
    received(topic, body.subarray(end), () => {
      if (qos) socket.write(packet(0x40, body.subarray(end - 2, end)));
    });
  };
  socket.on("data", (data) => {
    buffer = Buffer.concat([buffer, data]);
    for (;;) {
      let size = 0;
      let i = 1;
      for (; i < 5; i++) {
        if (i >= buffer.length) return;
        size += (buffer[i] & 127) << (7 * (i - 1));
        if (buffer[i] < 128) break;
      }
      if (buffer.length < i + 1 + size) return;
      take(buffer[0], buffer.subarray(i + 1, i + 1 + size));
      buffer = buffer.subarray(i + 1 + size);
    }
  });
  const ended = new Promise((resolve) => socket.on("close", resolve));
  socket.on("error", () => {}); // close follows
  ended.then(() => {
    for (const w of waiting.values()) w.reject(new Error("the connection to the broker has ended"));
  });
  const flags = 2 | (username ? 128 : 0) | (password ? 64 : 0);
  socket.write(packet(0x10, text("MQTT"), Buffer.from([4, flags, 0, 30]), text(id), ...[username, password].filter(Boolean).map(text)));
  const code = await answer("login");
  if (code !== 0) throw new Error(`the broker refuses the login: ${code}`);
  const ping = setInterval(() => socket.write(packet(0xc0)), 15000);
  ended.then(() => clearInterval(ping));
  const n = number();
  socket.write(packet(0x82, Buffer.from([n >> 8, n & 255]), ...filters.flatMap((f) => [text(f), Buffer.from([1])])));
  const granted = await answer(`sub${n}`);
  if (granted.includes(128)) throw new Error(`the broker refuses ${filters[granted.indexOf(128)]}`);
  return {
    ended,
    publish(topic, payload, retained = false) {
      const p = number();
      socket.write(packet(0x32 | (retained ? 1 : 0), text(topic), Buffer.from([p >> 8, p & 255]), Buffer.from(payload)));
      return answer(`pub${p}`);
    },
    end() {
      socket.end(packet(0xe0));
      return ended;
    },
  };
}

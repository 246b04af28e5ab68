"use strict";
const $ = (id) => document.getElementById(id);
const words = { 5: "非常满意", 4: "满意", 3: "基本满意", 2: "不满意", 1: "非常不满意" };
const outcomes = {
  rated: "已评价 · rated", rated_by_phone: "已用手机评价 · rated by phone", timed_out: "未评价 · timed out",
  cancelled: "已取消 · cancelled", superseded: "被新的服务取代 · superseded", interrupted: "中断 · interrupted",
};
const boxes = new Map(); // by device
let centre; // its address
let active; // the box that the keyboard presses

async function json(url, options) {
  const r = await fetch(url, options);
  const text = await r.text();
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    // Words, or nothing.
  }
  if (!r.ok) throw new Error((body && body.detail) || text.trim() || r.statusText);
  return body;
}

// The demonstration has ended, or this page has lost it: nothing here is alive any more.
function end() {
  $("ended").hidden = false;
  document.body.classList.add("ended");
  for (const e of document.querySelectorAll("button, input, select")) e.disabled = true;
  $("network").checked = false;
  $("network-word").textContent = "演示已结束 · The demo has ended";
  picture.end();
}

class Box {
  constructor({ device, name }) {
    this.device = device;
    this.root = $("box").content.cloneNode(true).firstElementChild;
    this.root.id = device;
    this.find("h2").textContent = name;
    this.find(".start").onclick = (e) => { e.preventDefault(); this.visit(); };
    this.find("form").onsubmit = (e) => e.preventDefault();
    this.find(".scan").onclick = (e) => { e.preventDefault(); scan(this); };
    this.find(".let-in").onclick = () => scan(this);
    this.root.onpointerdown = this.root.onfocusin = () => activate(this);
    $("boxes").append(this.root);
    this.codes = [];
    this.pending = 0;
    this.find("img").src = `box/${device}/frame.png`;
    this.state();
    setInterval(() => this.state(), 1000);
  }

  up() { return $("network").checked; }

  find(selector) { return this.root.querySelector(selector); }

  // Asks how the box is, once at a time: a browser has few connections, and answers that are late must not queue before a click.
  async state() {
    this.again = true;
    if (this.asking || document.body.classList.contains("ended")) return;
    for (this.asking = true; this.again;) {
      this.again = false;
      try {
        this.show(await json(`box/${this.device}/state.json`));
      } catch {
        // The stream of the parts says whether all has ended.
      }
    }
    this.asking = false;
  }

  show(s) {
    this.link = s.link;
    this.code = s.code;
    this.root.classList.toggle("scannable", !!(s.link || s.code));
    const waits = s.state === "enrolling";
    this.find("form").hidden = waits;
    this.find(".let-in").hidden = !s.code;
    if (this.waited && !waits) this.find("h2").textContent = "新机 · 已登记 New, let in";
    this.waited = waits;
    if (s.pending > this.pending) picture.flash(`log-${this.device}`);
    this.pending = s.pending;
    picture.connected(this.device, !s.offline);
    picture.note(`log-${this.device}`, waits ? "等待登记 not let in" : s.offline && this.up() ? `待发 ${s.pending} · 重连中` : `待发 ${s.pending} pending`);
    if (!this.codes.length) this.keys(s.codes);
    // The keys' captions: levels, and reasons while the box asks for them.
    const reasons = s.reasons ? s.reasons.concat("其他 / 跳过") : [];
    [...this.find(".keys").children].forEach((b, i) => { b.lastChild.textContent = reasons[i] || words[s.order[i]]; });
  }

  keys(codes) {
    this.codes = codes;
    for (const code of codes) {
      const b = document.createElement("button");
      b.type = "button";
      b.append(Object.assign(document.createElement("kbd"), { textContent: code }), document.createElement("span"));
      b.onclick = () => this.press(code);
      this.find(".keys").append(b);
    }
  }

  press(code) {
    const b = this.find(".keys").children[this.codes.indexOf(code)];
    if (!b || document.body.classList.contains("ended")) return;
    b.classList.add("down");
    setTimeout(() => b.classList.remove("down"), 150);
    fetch(`box/${this.device}/keys/${encodeURIComponent(code)}`, { method: "POST" }).catch(() => {});
  }

  // The window's PC opens a visit and follows it, by the box's own API. A case is rated once over its whole life, so that each visit is
  // about another one.
  async visit() {
    const f = new FormData(this.find("form"));
    const said = this.find("output");
    try {
      const { id } = await json(`pc/${this.device}/v1/visits`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() },
        body: JSON.stringify({
          staff: { id: "0417" },
          cases: [{ project_no: `620102${Date.now()}`, task_code: "11620102MB0A12345X2620109001000", task_name: f.get("task"), completed: f.get("completed") !== null }],
        }),
      });
      this.find(".start").blur();
      said.textContent = "正在评价 · being asked …";
      this.following = id;
      for (;;) {
        const v = await json(`pc/${this.device}/v1/visits/${id}?wait=25s`);
        if (this.following !== id) return;
        if (!v.open) {
          said.textContent = outcomes[v.outcome] || v.outcome;
          return;
        }
      }
    } catch (err) {
      if (!document.body.classList.contains("ended")) said.textContent = err instanceof TypeError ? "联系不上演示 · the demo cannot be reached" : err.message;
    }
  }
}

function activate(box) {
  active = box;
  for (const b of boxes.values()) b.root.classList.toggle("active", b === box);
}

// The phone reads the QR code that the screen shows: a citizen's for the visit, a technician's for a box that waits to be let in.
function scan(box) {
  if (box.code) {
    $("as").value = "technician";
    enter("technician").then((done) => done && onPhone(`${centre}/fleet/enrol?hall=SL-H1&code=${box.code}`));
    return;
  }
  if (box.link) onPhone(box.link);
}

// Opens an address on the phone, which has room for a page where the centre's pane on a low screen has none.
function onPhone(address) {
  $("phone").hidden = false;
  $("phone-word").hidden = true;
  $("phone").src = address;
  $("phone").scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (e) => {
  if (!/^[1-5]$/.test(e.key) || e.repeat || e.ctrlKey || e.metaKey || e.altKey || e.target.matches("input:not([type=checkbox])")) return;
  active.press(e.key); // a key is called by its level
});

// What passes between the parts, as the demonstration sees it on the wire.
let received = 0;
const travels = {
  key: (m) => picture.travel([`key-${m.box}`, `log-${m.box}`], "press", "按键 press"),
  records: (m) => picture.travel([`log-${m.box}`, "broker", "books"], "records", `${m.count} 条 records`).then(() => picture.note("books", `已收 ${(received += 1)} 批 batches`)),
  ack: (m) => picture.travel(["books", "broker", `log-${m.box}`], "ack", `签收至 #${m.count} signed for`),
  frame: (m) => { boxes.get(m.box).find("img").src = `box/${m.box}/frame.png?${m.frame}`; },
  command: (m) => picture.travel(["phone", "books", "broker", `log-${m.box}`], "phone", "手机已评 rated by phone"),
  network: (m) => network(m.up),
};

function network(up) {
  $("network").checked = up;
  $("network-word").textContent = up ? "网络已连接 · Network up" : "网络已断开 · Network cut";
  picture.network(up);
}

$("network").onchange = (e) => {
  json("network", { method: "PUT", body: JSON.stringify({ up: e.target.checked }) }).catch(end);
};

// Signs this browser in at the centre, and shows where somebody of the role begins; false if it did not. Whoever chooses faster than the
// centre signs in gets the last one.
let chosen = 0;
let entering = Promise.resolve();
function enter(role) {
  const mine = ++chosen;
  const say = (words) => { if (mine === chosen) $("as-word").textContent = words; };
  say("正在登录 signing in …");
  entering = entering.then(async () => {
    if (mine !== chosen) return false;
    try {
      const { page } = await json(`as/${role}`, { method: "POST" });
      $("centre").src = $("tab").href = centre + page;
      say("");
      return true;
    } catch (err) {
      if (!document.body.classList.contains("ended")) say(`没能登录，请再选一次 not signed in, choose again: ${err.message}`);
      if (mine === chosen) $("as").selectedIndex = -1;
      return false;
    }
  });
  return entering;
}

(async () => {
  const about = await json("demo");
  centre = about.centre;
  picture.begin(about.boxes);
  for (const b of about.boxes) boxes.set(b.device, new Box(b));
  activate(boxes.values().next().value);
  network(about.up);
  for (const p of about.people) $("as").add(new Option(p.words, p.role));
  $("as").onchange = () => enter($("as").value);
  $("as").onchange();
  const parts = new EventSource("parts");
  parts.onmessage = (e) => {
    const m = JSON.parse(e.data);
    if (travels[m.what]) travels[m.what](m);
    if (boxes.has(m.box)) boxes.get(m.box).state();
  };
  // A browser that slept finds the demonstration again.
  parts.onerror = () => json("demo").then(({ up }) => network(up), () => { parts.close(); end(); });
})().catch(end);

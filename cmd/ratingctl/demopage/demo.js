"use strict";
const $ = (id) => document.getElementById(id);
const words = { 5: "非常满意", 4: "满意", 3: "基本满意", 2: "不满意", 1: "非常不满意" };
const outcomes = {
  rated: "已评价 · rated", rated_by_phone: "已用手机评价 · rated by phone", timed_out: "未评价 · timed out",
  cancelled: "已取消 · cancelled", superseded: "被新的服务取代 · superseded", interrupted: "中断 · interrupted",
};

// The screen: each new frame of the panel is announced and fetched.
new EventSource("box/events").onmessage = (e) => {
  $("screen").src = "box/frame.png?" + e.data;
  state();
};

async function json(url, options) {
  const r = await fetch(url, options);
  const body = r.status === 204 ? null : await r.json();
  if (!r.ok) throw new Error(body && body.detail || r.statusText);
  return body;
}

let codes = [];
async function state() {
  const s = await json("box/state.json");
  $("link").hidden = !s.link;
  if (s.link) $("link").href = s.link;
  name(s);
  if (codes.length) return;
  codes = s.codes;
  s.codes.forEach((code, i) => {
    const b = document.createElement("button");
    b.type = "button";
    b.dataset.code = code;
    b.append(document.createElement("span"), Object.assign(document.createElement("kbd"), { textContent: String(i + 1) }));
    b.onclick = () => press(code);
    $("keys").append(b);
  });
  name(s);
}

// The keys' captions: levels, and reasons while the box asks for them.
function name(s) {
  const reasons = s.reasons ? s.reasons.concat("其他 / 跳过") : [];
  [...$("keys").children].forEach((b, i) => { b.firstChild.textContent = reasons[i] || words[s.order[i]]; });
}

function press(code) {
  return fetch("box/keys/" + encodeURIComponent(code), { method: "POST" });
}

document.addEventListener("keydown", (e) => {
  const i = "12345".indexOf(e.key);
  if (i < 0 || e.repeat || e.ctrlKey || e.metaKey || e.altKey || e.target.matches("input:not([type=checkbox])") || !codes[i]) return;
  const b = $("keys").children[i];
  b.classList.add("down");
  setTimeout(() => b.classList.remove("down"), 150);
  press(codes[i]);
});

// The window's PC opens a visit and follows it, by the box's own API.
$("visit").onsubmit = async (e) => {
  e.preventDefault();
  const f = new FormData(e.target);
  try {
    const { id } = await json("pc/v1/visits", {
      method: "POST", headers: { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() },
      body: JSON.stringify({
        staff: { id: f.get("staff") },
        cases: [{ project_no: f.get("project"), task_code: f.get("code"), task_name: f.get("task"), completed: f.get("completed") !== null }],
      }),
    });
    $("start").blur();
    // A case is rated once over its whole life, so the next visit is about another one.
    e.target.project.value = e.target.project.value.replace(/\d+$/, (n) => String(BigInt(n) + 1n).padStart(n.length, "0"));
    $("outcome").textContent = "正在评价 · being asked …";
    follow(id);
  } catch (err) {
    $("outcome").textContent = err.message;
  }
};

let following = "";
async function follow(id) {
  following = id;
  for (;;) {
    const v = await json("pc/v1/visits/" + id + "?wait=25s");
    if (following !== id) return;
    if (!v.open) {
      $("outcome").textContent = outcomes[v.outcome] || v.outcome;
      return;
    }
  }
}

// The network between the box and the centre.
$("network").onchange = async (e) => {
  const { up } = await json("network", { method: "PUT", body: JSON.stringify({ up: e.target.checked }) });
  $("network-word").textContent = up ? "网络已连接 · Network up" : "网络已断开 · Network cut";
};

json("network").then(({ up }) => { $("network").checked = up; });
json("centre").then(({ url }) => { $("centre").src = url; });
state();

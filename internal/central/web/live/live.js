// Shows what came in without a reload. Each event is the page's changing part, rendered and escaped by the centre.
"use strict";
(() => {
  const part = document.getElementById("live");
  const mark = document.getElementById("mark");
  const newest = () => Math.max(0, ...[...part.querySelectorAll("tr[data-cursor]")].map((r) => Number(r.dataset.cursor)));
  const source = new EventSource("/live/events");
  source.onopen = () => { mark.textContent = "实时"; mark.className = "on"; };
  source.onerror = () => {
    mark.textContent = source.readyState === EventSource.CLOSED ? "已停止，请刷新页面" : "连接中断，正在重连";
    mark.className = "off";
  };
  source.onmessage = (event) => {
    const seen = newest();
    part.innerHTML = event.data;
    for (const row of part.querySelectorAll("tr[data-cursor]")) {
      if (Number(row.dataset.cursor) > seen) row.classList.add("new");
    }
  };
})();

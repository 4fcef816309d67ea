"use strict";
// Pan, zoom, search and details of a graph page. What is shown comes from the block `data` and is only ever set as text.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const svg = document.querySelector("main svg");
  const view = document.getElementById("view");
  const panel = document.querySelector("aside");
  const search = document.getElementById("search");
  const nodes = [...svg.querySelectorAll("[data-node]")].sort((a, b) => a.dataset.node - b.dataset.node);
  const edges = [...svg.querySelectorAll(".edge")];
  const size = { width: data.width, height: data.height };
  const limits = [0.02, 4];
  let x = 0, y = 0, scale = 1, chosen = null;

  const show = () => view.setAttribute("transform", `translate(${x} ${y}) scale(${scale})`);

  function zoom(factor, atX = svg.clientWidth / 2, atY = svg.clientHeight / 2) {
    const next = Math.min(limits[1], Math.max(limits[0], scale * factor));
    x = atX - (atX - x) * next / scale;
    y = atY - (atY - y) * next / scale;
    scale = next;
    show();
  }

  const whole = () => Math.min(svg.clientWidth / size.width, svg.clientHeight / size.height);

  function fit() {
    scale = Math.min(1.25, whole());
    limits[0] = Math.min(limits[0], scale);
    x = (svg.clientWidth - size.width * scale) / 2;
    y = (svg.clientHeight - size.height * scale) / 2;
    show();
  }

  function center(number) {
    const box = nodes[number].querySelector(".box").getBBox();
    scale = Math.max(scale, 0.6);
    x = svg.clientWidth / 2 - (box.x + box.width / 2 + data.margin) * scale;
    y = svg.clientHeight / 2 - (box.y + box.height / 2 + data.margin) * scale;
    show();
  }

  // All that a node needs, and all that needs it.
  function related(number) {
    const found = new Set([number]);
    for (const side of ["needs", "needed_by"]) {
      const waiting = [number];
      const seen = new Set(waiting);
      while (waiting.length) {
        for (const other of data.nodes[waiting.pop()][side]) {
          if (!seen.has(other)) { seen.add(other); found.add(other); waiting.push(other); }
        }
      }
    }
    return found;
  }

  function mark(kept) {
    nodes.forEach((node, number) => {
      node.classList.toggle("faded", kept !== null && !kept.has(number));
      node.classList.toggle("chosen", number === chosen);
    });
    for (const edge of edges) {
      const from = Number(edge.dataset.from), to = Number(edge.dataset.to);
      edge.classList.toggle("faded", kept !== null && !(kept.has(from) && kept.has(to)));
      edge.classList.toggle("lit", chosen !== null && (from === chosen || to === chosen));
    }
  }

  function make(name, text, ...children) {
    const element = document.createElement(name);
    if (text) element.textContent = text;
    element.append(...children);
    return element;
  }

  function link(number) {
    const anchor = make("a", data.nodes[number].address);
    anchor.tabIndex = 0;
    anchor.setAttribute("role", "button");
    const go = () => { choose(number); center(number); };
    anchor.addEventListener("click", go);
    anchor.addEventListener("keydown", (event) => { if (event.key === "Enter") go(); });
    return anchor;
  }

  function section(title, ...content) {
    if (content.length) panel.append(make("h3", title), ...content);
  }

  function rows(pairs, element) {
    if (!pairs.length) return [];
    const table = make("table");
    for (const [name, text] of pairs) {
      table.append(make("tr", "", make("td", "", make("code", name)), make("td", "", make(element, text))));
    }
    return [table];
  }

  function links(numbers) {
    return numbers.length ? [make("ul", "", ...numbers.map((n) => make("li", "", link(n))))] : [];
  }

  function describe(node) {
    panel.replaceChildren();
    const close = make("button", "×");
    close.className = "close";
    close.setAttribute("aria-label", "Close");
    close.addEventListener("click", () => choose(null));
    panel.append(close, make("h2", node.address));
    if (node.action) {
      const badge = make("span", node.action.word);
      badge.className = "badge";
      badge.style.cssText = `background:${node.action.fill};border-color:${node.action.line};color:${node.action.text}`;
      panel.append(badge, ...(node.reasons.length ? [make("ul", "", ...node.reasons.map((r) => make("li", r)))] : []));
    }
    if (node.description) panel.append(make("p", node.description));
    section("Block", ...rows(node.facts, "code"));
    section("Inputs", ...rows(node.inputs, "code"));
    section("Outputs", ...rows(node.outputs, "span"));
    section("Needs", ...links(node.needs));
    section("Needed by", ...links(node.needed_by));
    panel.hidden = false;
    panel.scrollTop = 0;
  }

  function choose(number) {
    chosen = number;
    if (number === null) {
      panel.hidden = true;
    } else {
      describe(data.nodes[number]);
    }
    mark(number === null ? null : related(number));
  }

  nodes.forEach((node, number) => {
    node.setAttribute("tabindex", "0");
    node.setAttribute("role", "button");
    node.setAttribute("aria-label", data.nodes[number].address);
    node.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(number); }
    });
  });

  let drag = null;
  svg.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    drag = { x: event.clientX, y: event.clientY, moved: false, node: event.target.closest("[data-node]") };
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
    if (!drag.moved && Math.hypot(dx, dy) < 4) return;
    drag.moved = true;
    svg.classList.add("dragged");
    x += dx; y += dy; drag.x = event.clientX; drag.y = event.clientY;
    show();
  });
  const release = (event) => {
    if (!drag) return;
    if (!drag.moved && event.type === "pointerup") choose(drag.node ? Number(drag.node.dataset.node) : null);
    svg.classList.remove("dragged");
    drag = null;
  };
  svg.addEventListener("pointerup", release);
  svg.addEventListener("pointercancel", release);
  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = svg.getBoundingClientRect();
    const step = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    zoom(Math.exp(-step * 0.0016), event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });

  let found = [], at = -1;
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    chosen = null;
    panel.hidden = true;
    found = wanted ? data.nodes.flatMap((n, i) => n.address.toLowerCase().includes(wanted) ? [i] : []) : [];
    at = -1;
    mark(wanted ? new Set(found) : null);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !found.length) return;
    at = (at + 1) % found.length;
    center(found[at]);
  });
  document.getElementById("in").addEventListener("click", () => zoom(1.3));
  document.getElementById("out").addEventListener("click", () => zoom(1 / 1.3));
  document.getElementById("fit").addEventListener("click", fit);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { search.value = ""; choose(null); }
    if (event.target === search) return;
    if (event.key === "+" || event.key === "=") zoom(1.3);
    if (event.key === "-") zoom(1 / 1.3);
    if (event.key === "0") fit();
    if (event.key === "/") { event.preventDefault(); search.focus(); }
  });
  // The whole, or where that would be too small to read, the beginning; an address after # is chosen.
  function begin() {
    fit();
    if (whole() >= 0.2 || !nodes.length) return;
    scale = 0.7;
    center(0);
    x = 0;
    show();
  }

  const wanted = [location.hash.slice(1)];
  try { wanted.push(decodeURIComponent(wanted[0])); } catch { /* it is an address as it stands, or none */ }
  const start = data.nodes.findIndex((node) => wanted.includes(node.address));
  if (start >= 0) choose(start);
  begin();
  if (start >= 0 && whole() < 0.2) center(start);
})();

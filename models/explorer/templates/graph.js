// The network as a graph of nodes and wires; blocks fold. One node at a time is in the tab order.
import { drawn, short, percent } from "./base.js";
import { PAGE, ROOT, isBlock, kindOf, nameOf, operationsOf, outputShape, sum, timeShare } from "./data.js";
import { STATE, fold, listen, select, shownItems, visible } from "./state.js";
import { SIZES, layOut } from "./layout.js";

let host;
let focused = null;
const nodes = new Map(); // items to their elements

export function showGraph(container) {
  host = container;
  drawGraph();
  listen(["fold"], () => redraw());
  listen(["select", "pass"], () => mark());
  listen(["return"], () => host.hidden || focusOn(visible(STATE.selected)));
}

function redraw() {
  const hadFocus = host.contains(document.activeElement);
  drawGraph();
  if (hadFocus) focusOn(focused);
}

function drawGraph() {
  nodes.clear();
  const layout = layOut(ROOT);
  const margin = 8;
  const [width, height] = [layout.width + 2 * margin, layout.height + 2 * margin];
  const inside = drawn("g", { transform: `translate(${margin},${margin})` });
  inside.append(inputNode(layout.port));
  drawBox(layout, inside);
  const picture = drawn(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `Graph of ${PAGE.model}` },
    inside,
  );
  host.replaceChildren(picture);
  if (!nodes.has(focused)) focused = shownItems()[0] ?? null;
  mark();
}

function inputNode(port) {
  const text = `input ${PAGE.operations?.[0]?.input_shapes?.[0]?.slice(1).join("×") ?? ""}`;
  return drawn(
    "g",
    { transform: `translate(${port - SIZES.width / 2},0)`, class: "node input" },
    drawn("rect", { width: SIZES.width, height: SIZES.height, rx: SIZES.height / 2 }),
    drawn("text", { x: SIZES.width / 2, y: 28, "text-anchor": "middle" }, text),
  );
}

function drawBox(layout, into) {
  for (const wire of layout.wires) {
    const ends = [layout.children[wire.from]?.item, layout.children[wire.to]?.item];
    const path = drawn("path", { d: wire.path, class: "wire" });
    path.ends = ends;
    into.append(path);
  }
  for (const child of layout.children) {
    const group = drawn("g", { transform: `translate(${child.x},${child.y})` });
    into.append(group);
    if (child.inner) drawOpenBlock(child, group);
    else group.append(node(child.item));
  }
}

function drawOpenBlock(child, group) {
  group.append(drawn("rect", { width: child.width, height: child.height, rx: 10, class: "open" }));
  const head = interactive(child.item, "head");
  head.append(
    drawn("rect", { width: child.width, height: SIZES.header, rx: 10 }),
    drawn("text", { x: 12, y: 19, class: "title" }, clipped(`− ${nameOf(child.item)}  ${kindOf(child.item)}`, child.width)),
  );
  group.append(head);
  drawBox(child.inner, group);
}

function node(item) {
  const group = interactive(item, isBlock(item) ? "node block" : "node");
  const bar = Math.max(timeShare(item) * (SIZES.width - 2), 0);
  group.append(
    drawn("rect", { width: SIZES.width, height: SIZES.height, rx: 8 }),
    drawn("rect", { x: 1, y: SIZES.height - 5, width: bar, height: 4, class: "bar" }),
    drawn("text", { x: 10, y: 18, class: "title" }, clipped(`${isBlock(item) ? "+ " : ""}${nameOf(item)}`, 140)),
    drawn("text", { x: SIZES.width - 10, y: 18, "text-anchor": "end", class: "small" }, percent(timeShare(item))),
    drawn("text", { x: 10, y: 35, class: "small" }, clipped(`${kindOf(item)} → ${outputShape(item)}`, SIZES.width)),
  );
  return group;
}

// Seven pixels a letter: long names end with dots.
function clipped(text, width) {
  const letters = Math.floor((width - 16) / 6.9);
  return text.length > letters ? `${text.slice(0, letters - 1)}…` : text;
}

function interactive(item, className) {
  const group = drawn("g", {
    class: className,
    role: "button",
    tabindex: -1,
    "aria-label": describe(item),
    "aria-expanded": isBlock(item) ? String(!STATE.folded.has(item)) : null,
    "data-item": item.id,
    on: {
      click: () => {
        focused = item;
        if (isBlock(item)) fold(item, !STATE.folded.has(item));
        select(item);
      },
      keydown: (event) => pressed(event, item),
      focus: () => (focused = item),
    },
  });
  group.append(drawn("title", {}, describe(item)));
  nodes.set(item, group);
  return group;
}

export function describe(item) {
  const what = isBlock(item) ? `block of ${operationsOf(item).length} operations, ` : "";
  return (
    `${nameOf(item)}, ${what}${kindOf(item)}, output ${outputShape(item)}, ${short(sum(item, "parameters"))} parameters, ` +
    `${short(sum(item, "multiply_adds"))} mult-adds, ${percent(timeShare(item))} of the time`
  );
}

function pressed(event, item) {
  const items = shownItems();
  const at = items.indexOf(item);
  const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 };
  if (event.key in steps) {
    const next = items[Math.min(Math.max(steps[event.key], 0), items.length - 1)];
    focusOn(next);
  } else if (event.key === "ArrowRight" && isBlock(item)) {
    fold(item, false);
  } else if (event.key === "ArrowLeft") {
    foldAround(item);
  } else if (event.key === "Enter" || event.key === " ") {
    select(item);
  } else {
    return;
  }
  event.preventDefault();
}

function foldAround(item) {
  if (isBlock(item) && !STATE.folded.has(item)) {
    fold(item, true);
  } else if (item.parent && item.parent !== ROOT) {
    focused = item.parent;
    fold(item.parent, true);
  }
}

function focusOn(item) {
  const target = nodes.get(item);
  if (!target) return;
  focused = item;
  mark();
  target.focus({ preventScroll: true });
  target.scrollIntoView({ block: "nearest", inline: "nearest" });
}

export function bringIntoView(item) {
  nodes.get(item)?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function mark() {
  for (const [item, group] of nodes) {
    group.setAttribute("tabindex", item === focused ? 0 : -1);
    group.classList.toggle("selected", item === STATE.selected);
    setPass(group, item);
  }
  for (const wire of host.querySelectorAll(".wire")) {
    const current = STATE.reached.get("current");
    const end = STATE.reached.get("direction") === "backward" ? wire.ends[0] : wire.ends[1];
    const active = current !== undefined && end && end.first <= current && current <= end.last;
    wire.classList.toggle("active", Boolean(active));
    if (active) wire.parentNode.insertBefore(wire, wire.parentNode.querySelector(":scope > g"));
  }
  host.classList.toggle("backward", STATE.reached.get("direction") === "backward");
}

function setPass(group, item) {
  const steps = operationsOf(item).map((operation) => STATE.reached.get(operation.index));
  const current = STATE.reached.get("current");
  group.classList.toggle("current", current !== undefined && item.first <= current && current <= item.last);
  group.classList.toggle("done", steps.length > 0 && steps.every(Boolean));
}


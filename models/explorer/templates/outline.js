// The network as a list: a tree of blocks and operations with their costs; the way in on narrow screens.
import { duration, element, percent, short } from "./base.js";
import { ROOT, isBlock, kindOf, nameOf, outputShape, seconds, sum, timeShare } from "./data.js";
import { STATE, fold, listen, select, shownItems, visible } from "./state.js";
import { describe } from "./graph.js";

let place;
let current = null;

export function showOutline(container) {
  place = container;
  drawOutline();
  listen(["fold"], () => redrawOutline());
  listen(["select", "pass"], () => markOutline());
  listen(["return"], () => place.hidden || focusRow(visible(STATE.selected)));
}

function redrawOutline() {
  const hadFocus = place.contains(document.activeElement);
  drawOutline();
  if (hadFocus) focusRow(current);
}

function drawOutline() {
  const items = shownItems();
  if (!items.includes(current)) current = items[0] ?? null;
  const head = element(
    "div",
    { class: "row head", "aria-hidden": "true" },
    ...["layer", "output", "parameters", "mult-adds", "time"].map((text) => element("span", {}, text)),
  );
  place.replaceChildren(head, element("div", { role: "tree", "aria-label": "Layers" }, ...items.map(row)));
  markOutline();
}

function depth(item) {
  let levels = 1;
  for (let block = item.parent; block !== ROOT; block = block.parent) levels += 1;
  return levels;
}

function row(item) {
  const open = isBlock(item) && !STATE.folded.has(item);
  const name = element(
    "span",
    { class: "name" },
    element("span", { class: "fold", "aria-hidden": "true" }, isBlock(item) ? (open ? "−" : "+") : ""),
    element("span", {}, nameOf(item)),
    element("small", {}, kindOf(item)),
  );
  const share = element("span", { class: "share" }, `${duration(seconds(item))} · ${percent(timeShare(item))}`);
  const line = element(
    "div",
    {
      class: "row",
      role: "treeitem",
      tabindex: -1,
      "aria-level": depth(item),
      "aria-expanded": isBlock(item) ? String(open) : null,
      "aria-label": describe(item),
      "data-item": item.id,
      on: { click: () => choose(item), keydown: (event) => pressedInOutline(event, item) },
    },
    name,
    element("span", {}, outputShape(item).replaceAll("×", "×\u200b")),
    element("span", {}, short(sum(item, "parameters"))),
    element("span", {}, short(sum(item, "multiply_adds"))),
    share,
  );
  line.item = item;
  name.style.paddingInlineStart = `${(depth(item) - 1) * 14}px`;
  share.style.setProperty("--share", String(timeShare(item)));
  return line;
}

function choose(item) {
  current = item;
  if (isBlock(item)) fold(item, !STATE.folded.has(item));
  select(item);
}

function pressedInOutline(event, item) {
  const items = shownItems();
  const at = items.indexOf(item);
  const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 };
  if (event.key in steps) focusRow(items[Math.min(Math.max(steps[event.key], 0), items.length - 1)]);
  else if (event.key === "ArrowRight" && isBlock(item)) fold(item, false);
  else if (event.key === "ArrowLeft" && isBlock(item) && !STATE.folded.has(item)) fold(item, true);
  else if (event.key === "ArrowLeft" && item.parent !== ROOT) focusRow(item.parent);
  else if (event.key === "Enter" || event.key === " ") select(item);
  else return;
  event.preventDefault();
}

const rows = () => [...place.querySelectorAll("[role=treeitem]")];

function focusRow(item) {
  current = item;
  markOutline();
  const target = rows().find((line) => line.item === item);
  target?.focus({ preventScroll: true });
  target?.scrollIntoView({ block: "nearest" });
}

function markOutline() {
  const reached = STATE.reached.get("current");
  for (const line of rows()) {
    const item = line.item;
    line.setAttribute("tabindex", item === current ? 0 : -1);
    line.setAttribute("aria-selected", String(item === STATE.selected));
    line.classList.toggle("current", reached !== undefined && item.first <= reached && reached <= item.last);
  }
}

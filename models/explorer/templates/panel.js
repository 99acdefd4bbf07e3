// What is known of the selected layer.
import { bytes, button, duration, element, percent, shape, short, table } from "./base.js";
import { PAGE, TOTALS, isBlock, inputShape, kindOf, nameOf, operationsOf, outputShape, seconds, sum, timeShare } from "./data.js";
import { STATE, announce, fold, listen, select } from "./state.js";
import { batchNormInspector, concatInspector, dropoutInspector, linearInspector } from "./channels.js";
import { convolutionInspector } from "./convolution.js";
import { ladders } from "./ladder.js";
import { histogramFigure, mosaicFigure } from "./pictures.js";
import { poolingInspector, regionsInspector } from "./pooling.js";
import { receptiveField } from "./field.js";

const INSPECTORS = {
  convolution: convolutionInspector,
  linear: linearInspector,
  pooling: poolingInspector,
  regions: regionsInspector,
  batch_norm: batchNormInspector,
  dropout: dropoutInspector,
  concat: concatInspector,
};

export function showPanel(container) {
  const show = () => {
    const item = STATE.selected;
    container.replaceChildren(...(item ? (isBlock(item) ? aboutBlock(item) : aboutOperation(item)) : welcome()));
    container.scrollTop = 0;
  };
  show();
  listen(["select"], () => {
    show();
    container.querySelector("h2")?.focus({ preventScroll: true });
    if (getComputedStyle(container).position !== "sticky") container.scrollIntoView({ block: "start" });
  });
  container.addEventListener("keydown", (event) => event.key === "Escape" && STATE.selected && announce("return"));
  listen(["fold"], () => isBlock(STATE.selected ?? {}) && show());
}

function welcome() {
  return [
    element("h2", { tabindex: -1 }, "Choose a layer"),
    element("p", {}, "Click a layer, or move with the arrow keys and press Enter: its formula, its numbers, its pictures, its code and its costs appear here. A block unfolds with a click or the right arrow; Escape leads back from here."),
  ];
}

function section(title, ...content) {
  const shown = content.flat().filter(Boolean);
  if (!shown.length) return null;
  return element("section", {}, element("h3", {}, title), ...shown);
}

function heading(item) {
  const path = isBlock(item) ? item.path : item.module;
  return element("h2", { tabindex: -1 }, nameOf(item), " ", element("small", {}, kindOf(item), path && path !== nameOf(item) ? ` · ${path}` : ""));
}

function facts(pairs) {
  return element(
    "dl",
    { class: "facts" },
    ...pairs.filter(([, value]) => value).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))),
  );
}

function aboutBlock(block) {
  const folded = STATE.folded.has(block);
  const rows = operationsOf(block).map((operation) => [operation.module || operation.function, operation.function, outputShape(operation), short(operation.parameters), short(operation.multiply_adds), percent(timeShare(operation))]);
  return [
    heading(block),
    element("p", { class: "quiet" }, element("code", {}, block.description)),
    facts([
      ["output", outputShape(block)],
      ["parameters", short(sum(block, "parameters"))],
      ["mult-adds", short(sum(block, "multiply_adds"))],
      ["time, forward and backward", duration(seconds(block))],
      ["share of the time", percent(timeShare(block))],
    ]),
    button(folded ? "Unfold" : "Fold", () => fold(block, !folded)),
    section("Operations", table("Operations of the block", ["layer", "kind", "output", "parameters", "mult-adds", "time"], rows)),
  ];
}

function aboutOperation(operation) {
  const make = INSPECTORS[operation.inspector?.kind];
  return [
    heading(operation),
    operation.description ? element("p", { class: "quiet" }, element("code", {}, operation.description)) : null,
    facts([
      ["input", inputShape(operation)],
      ["output", outputShape(operation)],
      ["parameters", short(operation.parameters)],
      ["mult-adds", short(operation.multiply_adds)],
      ["share of the time", percent(timeShare(operation))],
    ]),
    section("Formula", formula(operation)),
    section("How one number came about", make ? make(operation) : null),
    section("Feature maps, filters, gradients", element("div", { class: "gallery" }, ...(operation.pictures ?? []).map(mosaicFigure))),
    section("Histograms", element("div", { class: "gallery" }, ...(operation.histograms ?? []).map(histogramFigure))),
    section("What it sees of the image", receptiveField(operation)),
    section("Its versions", ...ladders(operation)),
    section("What it costs", costs(operation)),
    neighbours(operation),
  ].filter(Boolean);
}

function formula(operation) {
  const known = PAGE.about[operation.function];
  const parts = [];
  if (known.formula) parts.push(element("pre", { class: "formula", tabindex: 0 }, known.formula));
  if (known.paper) parts.push(element("p", {}, element("b", {}, "Paper: "), known.paper));
  if (known.docstring) parts.push(element("p", {}, element("b", {}, "The engine: "), known.docstring));
  if (known.explanation) parts.push(element("p", { class: "quiet" }, "A small example worked out: ", element("code", {}, `minidnn explain ${known.explanation}`)));
  for (const [direction, place] of [["Forward", operation.forward_source], ["Backward", operation.backward_source]]) {
    if (place) parts.push(element("p", { class: "quiet" }, `${direction}: `, element("code", {}, `${place.file}:${place.line}`)));
  }
  return parts;
}

function costs(operation) {
  const rows = [
    ["forward", duration(operation.forward_seconds), percent(operation.forward_seconds / (TOTALS.forward_seconds || 1))],
    ["backward", duration(operation.backward_seconds), percent(operation.backward_seconds / (TOTALS.backward_seconds || 1))],
  ];
  const weights = Object.entries(operation.weights ?? {}).map(([name, sizes]) => `${name.split(".").at(-1)} ${sizes.join("×")}`);
  const rate = operation.multiply_adds / (operation.forward_seconds || 1);
  return [
    table("Time", ["", "time", "share of the pass"], rows),
    facts([
      ["mult-adds", `${short(operation.multiply_adds)} (${percent(operation.multiply_adds / (TOTALS.multiply_adds || 1))})`],
      ["speed forward", operation.multiply_adds ? `${short(rate)} mult-adds per second` : ""],
      ["memory moved forward", bytes(operation.bytes_moved)],
      ["mult-adds per byte", operation.bytes_moved && operation.multiply_adds ? (operation.multiply_adds / operation.bytes_moved).toFixed(1) : ""],
      ["weights", weights.join(", ")],
      ["mult-adds by formula", operation.cost],
    ]),
  ];
}

function neighbours(operation) {
  const { operations } = PAGE;
  const links = [["Previous layer", operations[operation.index - 1]], ["Next layer", operations[operation.index + 1]]];
  return element("p", { class: "neighbours" }, ...links.filter(([, other]) => other).map(([text, other]) => button(`${text}: ${nameOf(other)} ${shape(other.output_shapes[0])}`, () => select(other))));
}

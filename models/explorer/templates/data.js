// What the page was given, and the tree of blocks over its operations.
import { shape } from "./base.js";

export const PAGE = JSON.parse(document.getElementById("data").textContent);
export const OPERATIONS = PAGE.operations ?? [];
export const BLOCKS = [];

// Blocks get numbers, parents, and the interval of operations that they cover.
function adopt(block, parent) {
  block.id = `block-${BLOCKS.length}`;
  block.parent = parent;
  BLOCKS.push(block);
  block.items = (block.parts ?? []).map((part) => {
    if (typeof part !== "number") return adopt(part, block);
    const operation = OPERATIONS[part];
    operation.id = `operation-${part}`;
    operation.parent = block;
    operation.first = operation.last = part;
    return operation;
  });
  block.first = block.items.length ? block.items[0].first : 0;
  block.last = block.items.length ? block.items.at(-1).last : -1;
  return block;
}

export const ROOT = adopt(PAGE.tree, null);

export const isBlock = (item) => "items" in item;

export const operationsOf = (item) => (isBlock(item) ? OPERATIONS.slice(item.first, item.last + 1) : [item]);

export const sum = (item, field) => operationsOf(item).reduce((total, operation) => total + (operation[field] ?? 0), 0);

export const TOTALS = {
  forward_seconds: sum(ROOT, "forward_seconds"),
  backward_seconds: sum(ROOT, "backward_seconds"),
  parameters: sum(ROOT, "parameters"),
  multiply_adds: sum(ROOT, "multiply_adds"),
};

export const seconds = (item) => sum(item, "forward_seconds") + sum(item, "backward_seconds");

// The share of the network's time, forward and backward.
export const timeShare = (item) => seconds(item) / (TOTALS.forward_seconds + TOTALS.backward_seconds || 1);

export const nameOf = (item) => (isBlock(item) ? item.name : item.label) || "network";

export const kindOf = (item) => (isBlock(item) ? item.kind : item.function);

export function outputShape(item) {
  const last = OPERATIONS[item.last];
  return last ? shape(last.output_shapes[0]) : "";
}

export function inputShape(operation) {
  return (operation.input_shapes ?? []).map(shape).join(", ");
}

// Where things stand: layers from top to bottom, an open block as a box with a layout of its own.
//
// Items of a block are put into layers by the longest way from the block's input (every wire leads to a later
// layer). In a layer they stand under the mean of what they read. A wire that passes layers by goes down a lane
// at the right; wires of one source share a lane.
import { OPERATIONS, isBlock, operationsOf } from "./data.js";
import { STATE } from "./state.js";

export const SIZES = { width: 200, height: 46, gapX: 26, gapY: 30, padding: 16, header: 28, lane: 14 };

export function layOut(block, isRoot = true) {
  const items = block.items;
  const children = items.map((item) => {
    const inner = isBlock(item) && !STATE.folded.has(item) ? layOut(item, false) : null;
    return { item, inner, width: inner?.width ?? SIZES.width, height: inner?.height ?? SIZES.height };
  });
  const wires = wiresOf(block, items);
  const layers = layersOf(children, wires);
  place(children, layers, wires);
  return box(children, layers, wires, isRoot);
}

// Wires between a block's items, by position; -1 is the block's input, `items.length` its output.
function wiresOf(block, items) {
  const home = new Map();
  items.forEach((item, index) => operationsOf(item).forEach((operation) => home.set(operation.index, index)));
  const found = new Map();
  const add = (from, to) => found.set(`${from}>${to}`, { from, to });
  items.forEach((item, index) => {
    for (const operation of operationsOf(item)) {
      const parents = operation.parents ?? [];
      if (!parents.length) add(-1, index);
      for (const parent of parents) {
        const from = home.get(parent) ?? -1;
        if (from !== index) add(from, index);
      }
    }
  });
  const left = new Set();
  for (let index = block.last + 1; index < OPERATIONS.length; index += 1) {
    for (const parent of OPERATIONS[index].parents ?? []) if (home.has(parent)) left.add(home.get(parent));
  }
  if (!left.size && items.length) left.add(items.length - 1);
  for (const index of left) add(index, items.length);
  return [...found.values()];
}

function layersOf(children, wires) {
  children.forEach((child) => (child.layer = 0));
  children.forEach((child, index) => {
    for (const { from, to } of wires) {
      if (to === index && from >= 0) child.layer = Math.max(child.layer, children[from].layer + 1);
    }
  });
  const layers = [];
  for (const child of children) (layers[child.layer] ??= []).push(child);
  return layers;
}

function place(children, layers, wires) {
  let y = 0;
  for (const layer of layers) {
    for (const child of layer) child.wanted = wantedCentre(child, children, wires);
    layer.sort((a, b) => a.wanted - b.wanted);
    let right = -Infinity;
    for (const child of layer) {
      child.x = Math.max(child.wanted - child.width / 2, right + SIZES.gapX);
      right = child.x + child.width;
      child.y = y;
    }
    const shift = mean(layer.map((child) => child.wanted - child.x - child.width / 2));
    for (const child of layer) child.x += shift;
    y += Math.max(...layer.map((child) => child.height)) + SIZES.gapY;
  }
}

function wantedCentre(child, children, wires) {
  const index = children.indexOf(child);
  const above = wires.filter((wire) => wire.to === index && wire.from >= 0).map((wire) => children[wire.from]);
  const near = above.filter((other) => other.layer === child.layer - 1);
  return near.length ? mean(near.map((other) => other.x + other.width / 2)) : 0;
}

const mean = (values) => values.reduce((total, value) => total + value, 0) / (values.length || 1);

function box(children, layers, wires, isRoot) {
  const left = Math.min(0, ...children.map((child) => child.x));
  const top = isRoot ? SIZES.height + SIZES.gapY : SIZES.header + SIZES.gapY;
  for (const child of children) {
    child.x += SIZES.padding - left;
    child.y += top;
  }
  let width = Math.max(SIZES.width, ...children.map((child) => child.x + child.width)) + SIZES.padding;
  const bottom = Math.max(top, ...children.map((child) => child.y + child.height));
  const port = children.length ? children[0].x + children[0].width / 2 : width / 2;
  const lanes = lanesOf(children, layers, wires);
  const right = width - SIZES.padding + SIZES.lane;
  width += Math.max(0, ...[...lanes.values()].map((lane) => lane.place + 1)) * SIZES.lane;
  const ends = { top: isRoot ? SIZES.height : SIZES.header, bottom: bottom + SIZES.gapY / 2, port };
  const paths = wires
    .filter((wire) => !isRoot || wire.to < children.length)
    .map((wire) => ({ ...wire, path: pathOf(wire, children, layers, lanes, right, ends) }));
  const height = bottom + (isRoot ? SIZES.padding : SIZES.gapY / 2);
  return { children, wires: paths, width, height, port };
}

// Wires that pass a layer by: a lane for each source, from the source's layer to that of its last reader.
function lanesOf(children, layers, wires) {
  const spans = new Map();
  for (const { from, to } of wires) {
    const [start, end] = [layerOf(from, children, layers), layerOf(to, children, layers)];
    if (end - start < 2) continue;
    const span = spans.get(from) ?? { start, end };
    spans.set(from, { start, end: Math.max(span.end, end) });
  }
  const taken = [];
  for (const span of [...spans.values()].sort((a, b) => a.end - a.start - (b.end - b.start))) {
    span.place = taken.findIndex((others) => others.every((other) => span.end <= other.start || span.start >= other.end));
    if (span.place < 0) span.place = taken.push([]) - 1;
    taken[span.place].push(span);
  }
  return spans;
}

function layerOf(index, children, layers) {
  if (index < 0) return -1;
  return index < children.length ? children[index].layer : layers.length;
}

function pathOf({ from, to }, children, layers, lanes, right, ends) {
  const source = children[from];
  const target = children[to];
  const x1 = source ? source.x + source.width / 2 : ends.port;
  const y1 = source ? source.y + source.height : ends.top;
  const x2 = target ? target.x + target.width / 2 : ends.port;
  const y2 = target ? target.y : ends.bottom;
  const passes = layerOf(to, children, layers) - layerOf(from, children, layers) > 1;
  if (!passes) return `M${x1},${y1} C${x1},${(y1 + y2) / 2} ${x2},${(y1 + y2) / 2} ${x2},${y2}`;
  const lane = right + lanes.get(from).place * SIZES.lane;
  const turn = SIZES.gapY / 2;
  return (
    `M${x1},${y1} Q${x1},${y1 + turn} ${(x1 + lane) / 2},${y1 + turn} Q${lane},${y1 + turn} ${lane},${y1 + 2 * turn} ` +
    `L${lane},${y2 - 2 * turn} Q${lane},${y2 - turn} ${(x2 + lane) / 2},${y2 - turn} Q${x2},${y2 - turn} ${x2},${y2}`
  );
}

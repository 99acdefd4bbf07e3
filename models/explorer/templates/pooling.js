// Which input won a pooling window, or what its average is made of; the same for regions of interest.
import { choice, element, number, numbers, plane } from "./base.js";
import { OPERATIONS, PAGE } from "./data.js";
import { matrix, planeView } from "./planes.js";

const MOST_CELLS = 400;

export function poolingInspector(operation) {
  const spec = operation.inspector;
  const result = element("div", { class: "result", "aria-live": "polite" });
  const state = { channel: 0 };
  const views = {};
  views.input = planeView({ title: "Input", values: plane(spec.x, 0), height: spec.size[1], width: spec.size[2] });
  views.output = planeView({
    title: "Output: point at a pixel",
    values: plane(spec.y, 0),
    height: spec.output_size[1],
    width: spec.output_size[2],
    pick: (row, column) => showWindow(spec, state, views, result, row, column),
  });
  const names = spec.planes.map((channel) => `channel ${channel}`);
  const controls = choice("Channel", names, (index) => {
    state.channel = index;
    views.input.show(plane(spec.x, index));
    views.output.show(plane(spec.y, index));
    views.output.pick(views.output.row, views.output.column);
  });
  views.output.pick(Math.floor(spec.output_size[1] / 2), Math.floor(spec.output_size[2] / 2));
  return element("div", { class: "inspector" }, controls, element("div", { class: "planes" }, views.input.figure, views.output.figure), result);
}

// The places of a window that lie on the plane, with their values, row by row.
function covered([top, bottom, down], [left, right, along], values, height, width) {
  const cells = [];
  for (let h = top; h < bottom; h += down) {
    for (let w = left; w < right; w += along) {
      if (h >= 0 && h < height && w >= 0 && w < width) cells.push({ h, w, value: values[h * width + w] });
    }
  }
  return cells;
}

// The first of the largest, in row-major order.
const winnerOf = (cells) => cells.reduce((best, cell) => (best === null || cell.value > best.value ? cell : best), null);

function cellMatrix(title, cells, winner) {
  const columns = new Set(cells.map((cell) => cell.w)).size;
  const shown = cells.slice(0, MOST_CELLS);
  const more = cells.length > shown.length ? `, the first ${shown.length} of ${cells.length}` : "";
  return matrix(`${title}${more}`, shown.map((cell) => cell.value), columns || 1, [shown.indexOf(winner)]);
}

function showWindow(spec, state, views, result, row, column) {
  const [, height, width] = spec.size;
  const [rows, columns] = [spec.rows[row], spec.columns[column]];
  const cells = covered(rows, columns, plane(spec.x, state.channel), height, width);
  const largest = spec.mode === "max";
  const winner = largest ? winnerOf(cells) : null;
  const window = { row: rows[0], column: columns[0], height: rows[1] - rows[0], width: columns[1] - columns[0] };
  const marks = [window];
  if (winner) marks.push({ row: winner.h, column: winner.w, height: 1, width: 1, className: "won" });
  views.input.mark(marks);
  views.output.mark([{ row, column, height: 1, width: 1 }]);
  const total = cells.reduce((sum, cell) => sum + cell.value, 0);
  const divisor = largest ? 1 : (spec.divisor ?? spec.counts[0][row] * spec.counts[1][column]);
  const value = largest ? winner.value : total / divisor;
  const words = largest
    ? `the largest of ${cells.length}, at row ${winner.h}, column ${winner.w} = `
    : `${number(total)} (sum of ${cells.length}) / ${divisor} = `;
  result.replaceChildren(
    verdict(`y[${spec.planes[state.channel]}, ${row}, ${column}]`, words, value, plane(spec.y, state.channel)[row * spec.output_size[2] + column]),
    cellMatrix("Window", cells, winner),
  );
}

export function verdict(name, words, total, engine) {
  return element(
    "p",
    { class: "sum" },
    element("b", {}, name),
    ` = ${words}`,
    element("output", { class: "total", "data-exact": total }, number(total)),
    "; the engine's output: ",
    element("output", { class: "engine", "data-exact": engine }, number(engine)),
  );
}

// ---- regions of interest -------------------------------------------------------------------------

export function regionsInspector(operation) {
  const spec = operation.inspector;
  const state = { region: 0, channel: 0 };
  const result = element("div", { class: "result", "aria-live": "polite" });
  const views = {};
  const [bins, across] = spec.output_size;
  views.input = planeView({ title: "Feature map: the region's bins", values: plane(spec.x, 0), height: spec.size[1], width: spec.size[2] });
  views.output = planeView({
    title: "Output: point at a bin",
    values: regionValues(spec, state),
    height: bins,
    width: across,
    pick: (row, column) => showBin(spec, state, views, result, row, column),
  });
  const refresh = () => {
    views.input.show(plane(spec.x, state.channel));
    views.output.show(regionValues(spec, state));
    image.replaceChildren(...imageWithBins(spec, state));
    views.output.pick(views.output.row, views.output.column);
  };
  const regions = Array.from({ length: spec.regions.shape[0] }, (_, index) => `region ${index}`);
  const image = element("figure", { class: "plane-figure" });
  const controls = element(
    "div",
    { class: "controls" },
    choice("Region", regions, (index) => ((state.region = index), refresh())),
    choice("Channel", spec.planes.map((channel) => `channel ${channel}`), (index) => ((state.channel = index), refresh())),
  );
  refresh();
  return element("div", { class: "inspector" }, controls, element("div", { class: "planes" }, image, views.input.figure, views.output.figure), result);
}

// What a detector would pool from one of the network's maps.
export function showRegions(container) {
  const example = PAGE.regions;
  const parts = example
    ? [
        element("p", {}, `A detector pools regions of any size into bins of one size, so that one classifier serves them all: every bin keeps the largest value that lies in it (Fast R-CNN, 2015). Here are three regions of this image on the map that ${OPERATIONS[example.operation].module} makes.`),
        regionsInspector(example),
      ]
    : [element("p", {}, "This network makes no map that is large enough to pool regions from.")];
  container.replaceChildren(element("h2", {}, "Pooling regions of interest"), ...parts);
}

const regionValues = (spec, state) => plane(spec.y, state.region * spec.planes.length + state.channel);

// Start and end of a bin, along rows or columns.
function binEdges(packed, region, bin) {
  const bins = packed.shape[1];
  const at = (region * bins + bin) * 2;
  return [numbers(packed)[at], numbers(packed)[at + 1], 1];
}

function allBins(spec, state) {
  const found = [];
  for (let row = 0; row < spec.output_size[0]; row += 1) {
    for (let column = 0; column < spec.output_size[1]; column += 1) {
      const [top, bottom] = binEdges(spec.rows, state.region, row);
      const [left, right] = binEdges(spec.columns, state.region, column);
      found.push({ row: top, column: left, height: bottom - top, width: right - left, className: "bin" });
    }
  }
  return found;
}

// The image as the network saw it, with the region's bins at their places.
function imageWithBins(spec, state) {
  if (!PAGE.picture) return [];
  const picture = element("img", { src: PAGE.picture.source, alt: "The image with the region's bins" });
  const frame = element("div", { class: "plane" }, picture);
  const [, high, wide] = spec.size;
  frame.style.width = "264px";
  for (const bin of allBins(spec, state)) {
    const box = element("div", { class: "mark bin" });
    box.style.left = `${(bin.column / wide) * 100}%`;
    box.style.top = `${(bin.row / high) * 100}%`;
    box.style.width = `${(bin.width / wide) * 100}%`;
    box.style.height = `${(bin.height / high) * 100}%`;
    frame.append(box);
  }
  return [element("figcaption", {}, "The bins on the image"), frame];
}

function showBin(spec, state, views, result, row, column) {
  const [height, width] = [spec.size[1], spec.size[2]];
  const rows = binEdges(spec.rows, state.region, row);
  const columns = binEdges(spec.columns, state.region, column);
  const cells = covered(rows, columns, plane(spec.x, state.channel), height, width);
  const winner = winnerOf(cells);
  const marks = allBins(spec, state);
  if (winner) marks.push({ row: winner.h, column: winner.w, height: 1, width: 1, className: "won" });
  views.input.mark(marks);
  views.output.mark([{ row, column, height: 1, width: 1 }]);
  const words = winner
    ? `the largest of ${cells.length} in rows ${rows[0]} to ${rows[1] - 1}, columns ${columns[0]} to ${columns[1] - 1} = `
    : "an empty bin = ";
  const corners = Array.from(numbers(spec.regions).slice(state.region * 5 + 1, state.region * 5 + 5), (edge) => number(edge));
  const engine = regionValues(spec, state)[row * spec.output_size[1] + column];
  result.replaceChildren(
    element("p", {}, `Region (${corners.join(", ")}), times ${number(spec.scale)} and rounded.`),
    verdict(`y[${state.region}, ${spec.planes[state.channel]}, ${row}, ${column}]`, words, winner ? winner.value : 0, engine),
    cellMatrix("Bin", cells, winner),
  );
}

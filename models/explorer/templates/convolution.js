// How one output of a convolution came about: window, column, row of weights, products, sum.
import { ask, button, choice, element, number, numbers, plane, table } from "./base.js";
import { PAGE } from "./data.js";
import { matrix, planeView } from "./planes.js";

export function convolutionInspector(operation) {
  const spec = { ...operation.inspector };
  const result = element("div", { class: "result", "aria-live": "polite" });
  const state = { filter: spec.filters[0], input: 0 };
  const views = {};
  const update = (row, column) => showPixel(spec, state, views, result, row, column);
  const [, height, width] = spec.output_size;
  views.input = planeView({ title: "", values: new Float32Array(spec.size[1] * spec.size[2]), height: spec.size[1], width: spec.size[2] });
  views.output = planeView({ title: "Output", values: numbers(state.filter.y), height, width, pick: update });
  const controls = element("div", { class: "controls" });
  const refresh = () => {
    controls.replaceChildren(...choices(operation, spec, state, refresh, result));
    views.output.show(numbers(state.filter.y));
    views.output.title(`Output channel ${state.filter.output}: point at a pixel`);
    showInput(spec, state, views);
    views.output.pick(views.output.row, views.output.column);
  };
  views.output.row = Math.floor(height / 2);
  views.output.column = Math.floor(width / 2);
  refresh();
  return element("div", { class: "inspector" }, controls, element("div", { class: "planes" }, views.input.figure, views.output.figure), result);
}

function choices(operation, spec, state, refresh, words) {
  const outputs = spec.filters.map((filter) => `channel ${filter.output}`);
  const inputs = state.filter.inputs.map((channel) => `channel ${channel}`);
  const parts = [
    choice("Output", outputs, (index) => {
      state.filter = spec.filters[index];
      state.input = 0;
      refresh();
    }, spec.filters.indexOf(state.filter)),
    choice("Input shown", inputs, (index) => {
      state.input = index;
      refresh();
    }, state.input),
  ];
  if (PAGE.live && spec.filters.length < spec.output_size[0]) parts.push(liveChoice(operation, spec, state, refresh, words));
  return parts;
}

// The program that serves the page knows every channel.
function liveChoice(operation, spec, state, refresh, words) {
  const field = element("input", { type: "number", min: 0, max: spec.output_size[0] - 1, value: state.filter.output, "aria-label": "Any output channel" });
  const show = async () => {
    const found = await ask(`inspect?operation=${operation.index}&channel=${Number(field.value)}`, words);
    if (!found) return;
    Object.assign(spec, found);
    [state.filter] = spec.filters;
    state.input = 0;
    refresh();
  };
  return element("span", { class: "live" }, field, button("Show this channel, all inputs", show));
}

function showInput(spec, state, views) {
  const channel = state.filter.inputs[state.input];
  views.input.title(`Input channel ${channel} of ${spec.size[0]}: the window`);
  views.input.show(plane(spec.x, spec.planes.indexOf(channel)));
}

// The elements of one input channel under the window; what lies in the padding is zero.
function windowValues(spec, channel, row, column) {
  const { kernel, stride, before, dilation } = spec.window;
  const values = plane(spec.x, spec.planes.indexOf(channel));
  const found = [];
  for (let p = 0; p < kernel[0]; p += 1) {
    for (let q = 0; q < kernel[1]; q += 1) {
      const h = row * stride[0] + p * dilation[0] - before[0];
      const w = column * stride[1] + q * dilation[1] - before[1];
      const inside = h >= 0 && h < spec.size[1] && w >= 0 && w < spec.size[2];
      found.push(inside ? values[h * spec.size[2] + w] : 0);
    }
  }
  return found;
}

function showPixel(spec, state, views, result, row, column) {
  const { filter } = state;
  const { kernel, stride, before, dilation } = spec.window;
  const extent = kernel.map((taps, axis) => dilation[axis] * (taps - 1) + 1);
  const top = row * stride[0] - before[0];
  const left = column * stride[1] - before[1];
  views.input.mark([{ row: top, column: left, height: extent[0], width: extent[1] }]);
  views.output.mark([{ row, column, height: 1, width: 1 }]);
  const weights = numbers(filter.weight);
  const taps = kernel[0] * kernel[1];
  const parts = filter.inputs.map((channel, index) => {
    const values = windowValues(spec, channel, row, column);
    const own = weights.subarray(index * taps, (index + 1) * taps);
    const products = values.map((value, tap) => value * own[tap]);
    return { channel, values, own, products, sum: products.reduce((total, product) => total + product, 0) };
  });
  const width = spec.output_size[2];
  const place = row * width + column;
  const rest = filter.rest ? numbers(filter.rest)[place] : 0;
  const total = parts.reduce((sum, part) => sum + part.sum, 0) + rest + filter.bias;
  const engine = numbers(filter.y)[place];
  result.replaceChildren(
    conclusion(parts, filter, spec, rest, total, engine, row, column),
    threeMatrices(parts[state.input], kernel),
    columnTable(parts, kernel, place, spec, filter),
  );
}

function conclusion(parts, filter, spec, rest, total, engine, row, column) {
  const terms = parts.slice(0, 4).map((part) => `${number(part.sum)} (channel ${part.channel})`);
  if (parts.length > 4) {
    const more = parts.slice(4).reduce((sum, part) => sum + part.sum, 0);
    terms.push(`${number(more)} (channels ${parts[4].channel} to ${parts.at(-1).channel})`);
  }
  if (filter.others) terms.push(`${number(rest)} (the other ${filter.others} input channels)`);
  if (spec.has_bias) terms.push(`${number(filter.bias)} (bias)`);
  return element(
    "p",
    { class: "sum" },
    element("b", {}, `y[${filter.output}, ${row}, ${column}]`),
    ` = ${terms.join(" + ")} = `,
    element("output", { class: "total", "data-exact": total }, number(total)),
    "; the engine's output: ",
    element("output", { class: "engine", "data-exact": engine }, number(engine)),
  );
}

function threeMatrices(part, kernel) {
  return element(
    "div",
    { class: "matrices" },
    matrix(`Window on channel ${part.channel}`, part.values, kernel[1]),
    element("span", { class: "sign", "aria-hidden": "true" }, "×"),
    matrix("Weights", part.own, kernel[1]),
    element("span", { class: "sign", "aria-hidden": "true" }, "="),
    matrix(`Products, sum ${number(part.sum)}`, part.products, kernel[1]),
  );
}

const MOST_ROWS = 200;

function columnTable(parts, kernel, place, spec, filter) {
  const rows = [];
  for (const part of parts) {
    part.values.forEach((value, tap) => {
      if (rows.length < MOST_ROWS) {
        const at = `${part.channel}, ${Math.floor(tap / kernel[1])}, ${tap % kernel[1]}`;
        rows.push([at, number(value), number(part.own[tap]), number(part.products[tap])]);
      }
    });
  }
  const length = spec.channels_per_output * kernel[0] * kernel[1];
  const count = spec.output_size[1] * spec.output_size[2];
  const title = `im2col: column ${place} of ${count}, times row ${filter.output} of the weight matrix (${length} products, ${rows.length} shown)`;
  return element(
    "details",
    { open: true },
    element("summary", {}, title),
    table(title, ["c, p, q", "column (x)", "row (w)", "product"], rows, "column"),
  );
}

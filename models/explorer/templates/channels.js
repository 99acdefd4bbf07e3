// Batch norm channel by channel, dropout's mask, who owns a concatenation, one unit of a linear layer.
import { choice, drawn, element, number, numbers, short, table } from "./base.js";
import { OPERATIONS, nameOf } from "./data.js";
import { paint } from "./planes.js";
import { verdict } from "./pooling.js";

// ---- batch norm ----------------------------------------------------------------------------------

export function batchNormInspector(operation) {
  const spec = operation.inspector;
  const arrays = Object.fromEntries(["mean", "variance", "weight", "bias", "x", "y"].map((name) => [name, numbers(spec[name])]));
  const result = element("div", { class: "result", "aria-live": "polite" });
  const channels = Array.from(arrays.mean, (_, channel) => `channel ${channel}`);
  const show = (channel) => result.replaceChildren(normalised(spec, arrays, channel));
  show(0);
  const rows = channels.map((name, channel) => [name, ...["mean", "variance", "weight", "bias"].map((key) => number(arrays[key][channel]))]);
  const source = spec.training ? "of this batch" : "kept while training (running statistics)";
  return element(
    "div",
    { class: "inspector" },
    element("p", {}, `Mean and variance ${source}; weight and bias are trained.`),
    channelBars("Mean of every channel", arrays.mean),
    channelBars("Variance of every channel", arrays.variance),
    choice("Channel", channels, show),
    result,
    element("details", {}, element("summary", {}, "All channels"), table("Batch norm's numbers", ["", "mean", "variance", "weight", "bias"], rows, "column")),
  );
}

function normalised(spec, arrays, channel) {
  const [x, mean, variance, weight, bias] = ["x", "mean", "variance", "weight", "bias"].map((name) => arrays[name][channel]);
  const value = ((x - mean) / Math.sqrt(variance + spec.eps)) * weight + bias;
  const words = `(${number(x)} − ${number(mean)}) / sqrt(${number(variance)} + ${number(spec.eps)}) × ${number(weight)} + ${number(bias)} = `;
  return verdict(`y[${[channel, ...(spec.place ?? [])].join(", ")}]`, words, value, arrays.y[channel]);
}

function channelBars(title, values) {
  const [width, height] = [520, 70];
  const largest = Math.max(...values.map(Math.abs)) || 1;
  const signed = values.some((value) => value < 0);
  const zero = signed ? height / 2 : height;
  const step = width / values.length;
  const bars = Array.from(values, (value, index) => {
    const size = (Math.abs(value) / largest) * (signed ? height / 2 : height);
    return drawn("rect", { x: index * step, y: value >= 0 ? zero - size : zero, width: Math.max(step - 0.4, 0.4), height: size });
  });
  return element(
    "figure",
    { class: "histogram wide" },
    drawn("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": title }, ...bars),
    element("figcaption", {}, `${title}, at most ${number(largest)} in size`),
  );
}

// ---- dropout -------------------------------------------------------------------------------------

export function dropoutInspector(operation) {
  const spec = operation.inspector;
  const [kept, x, y] = ["kept", "x", "y"].map((name) => numbers(spec[name]));
  const width = Math.ceil(Math.sqrt(kept.length));
  const canvas = element("canvas", { role: "img", "aria-label": "The mask: white is kept, black is dropped", class: "mask" });
  paint(canvas, kept, Math.floor(kept.length / width) || 1, width);
  const all = spec.size.reduce((product, length) => product * length, 1);
  const scale = number(1 / (1 - spec.probability));
  const rows = Array.from(kept.slice(0, 24), (flag, index) => [String(index), number(x[index]), flag ? `kept, × ${scale}` : "dropped", number(y[index])]);
  return element(
    "div",
    { class: "inspector" },
    element("p", {}, `${short(spec.dropped)} of ${short(all)} elements are dropped (p = ${spec.probability}); the others are multiplied by 1 / (1 − p) = ${scale}.`),
    element("figure", { class: "mosaic" }, canvas, element("figcaption", {}, "The mask of the first elements: white is kept, black is dropped.")),
    table("The first elements", ["element", "x", "mask", "y"], rows, "column"),
  );
}

// ---- concatenation -------------------------------------------------------------------------------

export function concatInspector(operation) {
  const { axis, lengths } = operation.inspector;
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const parents = operation.parents ?? [];
  const owner = (index) =>
    parents.length === lengths.length ? `${nameOf(OPERATIONS[parents[index]])} (${OPERATIONS[parents[index]].module || OPERATIONS[parents[index]].function})` : `input ${index}`;
  let first = 0;
  const rows = [];
  const bars = lengths.map((length, index) => {
    rows.push([`${first} to ${first + length - 1}`, String(length), owner(index)]);
    const bar = element("div", { class: `owner owner-${index % 6}`, title: owner(index) }, String(length));
    bar.style.flexGrow = String(length);
    first += length;
    return bar;
  });
  return element(
    "div",
    { class: "inspector" },
    element("p", {}, `${total} places along axis ${axis}, ${axis === 1 ? "the channels" : ""} one input after the other.`),
    element("div", { class: "owners", "aria-hidden": "true" }, ...bars),
    table("Who owns which places", ["places", "how many", "from"], rows),
  );
}

// ---- linear --------------------------------------------------------------------------------------

const MOST_PRODUCTS = 100;

export function linearInspector(operation) {
  const spec = operation.inspector;
  const [x, weight, bias, y] = ["x", "weight", "bias", "y"].map((name) => numbers(spec[name]));
  const result = element("div", { class: "result", "aria-live": "polite" });
  const show = (index) => {
    const row = weight.subarray(index * x.length, (index + 1) * x.length);
    const products = Array.from(row, (factor, place) => ({ place, factor, product: factor * x[place] }));
    const total = products.reduce((sum, { product }) => sum + product, 0) + bias[index];
    products.sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
    const rows = products.slice(0, MOST_PRODUCTS).map(({ place, factor, product }) => [String(place), number(x[place]), number(factor), number(product)]);
    result.replaceChildren(
      verdict(`y[${spec.outputs[index]}]`, `sum of ${x.length} products + ${number(bias[index])} (bias) = `, total, y[index]),
      table("The products, largest first", ["input", "x", "weight", "product"], rows, "column"),
    );
  };
  show(0);
  return element("div", { class: "inspector" }, choice("Output", spec.outputs.map((output) => `unit ${output}`), show), result);
}

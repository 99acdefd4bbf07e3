// A pass through the graph, step by step: forward in the order of execution, backward in the order in which the
// engine ran it.
import { button, duration, element, shape } from "./base.js";
import { OPERATIONS, nameOf } from "./data.js";
import { STATE, announce, visible } from "./state.js";
import { bringIntoView } from "./graph.js";

const LONGEST = 12000; // of a whole pass, in milliseconds
const calm = matchMedia("(prefers-reduced-motion: reduce)");

let order = [];
let position = -1;
let timer = null;
let controls;

export function showSteps(container) {
  const status = element("p", { class: "status", role: "status" }, "Forward and backward, one operation after the other.");
  controls = {
    status,
    forward: button("▶ Forward", () => start("forward")),
    backward: button("◀ Backward", () => start("backward")),
    pause: button("Pause", () => (timer ? pause() : play()), { disabled: true }),
    step: button("Step", () => (pause(), step()), { disabled: true }),
    stop: button("Clear", () => clear(), { disabled: true }),
  };
  container.replaceChildren(controls.forward, controls.backward, controls.pause, controls.step, controls.stop, status);
}

const backwardOrder = () =>
  OPERATIONS.filter((operation) => operation.backward_position !== undefined).sort((a, b) => a.backward_position - b.backward_position);

function start(direction) {
  clear();
  order = direction === "forward" ? OPERATIONS : backwardOrder();
  STATE.reached.set("direction", direction);
  for (const name of ["pause", "step", "stop"]) controls[name].disabled = false;
  step();
  // Who asked for less motion goes from step to step.
  if (!calm.matches) play();
}

function play() {
  const pace = Math.min(700, LONGEST / order.length);
  timer = setInterval(step, pace);
  controls.pause.textContent = "Pause";
}

function pause() {
  clearInterval(timer);
  timer = null;
  controls.pause.textContent = "Go on";
}

function clear() {
  clearInterval(timer);
  timer = null;
  position = -1;
  STATE.reached.clear();
  for (const name of ["pause", "step", "stop"]) controls[name].disabled = true;
  controls.pause.textContent = "Pause";
  controls.status.textContent = "Forward and backward, one operation after the other.";
  announce("pass");
}

function step() {
  position += 1;
  if (position >= order.length) {
    finish();
    return;
  }
  const operation = order[position];
  STATE.reached.set("current", operation.index).set(operation.index, true);
  controls.status.textContent = words(operation);
  announce("pass");
  bringIntoView(visible(operation));
}

function finish() {
  clearInterval(timer);
  timer = null;
  STATE.reached.delete("current");
  controls.pause.disabled = controls.step.disabled = true;
  controls.status.textContent = `${order.length} operations, each once: the pass is complete.`;
  announce("pass");
}

function words(operation) {
  const backward = STATE.reached.get("direction") === "backward";
  const output = shape(operation.output_shapes[0]);
  const inputs = (operation.input_shapes ?? []).map(shape).join(", ") || "the image";
  const way = backward ? `gradient of ${output} → gradient of ${inputs}` : `${inputs} → ${output}`;
  const time = backward ? operation.backward_seconds : operation.forward_seconds;
  return `${position + 1} / ${order.length}: ${nameOf(operation)} (${operation.function}), ${way}, ${duration(time)}`;
}

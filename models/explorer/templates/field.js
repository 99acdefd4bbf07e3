// The receptive field of a unit: the part of the image that it can see, and the part that it does see.
import { element } from "./base.js";
import { PAGE } from "./data.js";

export function receptiveField(operation) {
  const field = operation.field;
  if (!field || !PAGE.picture) return null;
  const picture = element("img", { src: PAGE.picture.source, alt: "" });
  const frame = element("div", { class: "plane" }, picture);
  frame.style.width = "264px";
  return element("div", { class: "planes" }, frame);
}

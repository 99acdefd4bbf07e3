// Mosaics of feature maps, filters and gradients, and histograms.
import { drawn, element, number, percent } from "./base.js";

const SMALL = 40; // a plane whose side is smaller is enlarged

export function mosaicFigure(sprite) {
  const image = element("img", {
    src: sprite.source,
    alt: `${sprite.caption} ${(sprite.names ?? []).length} planes.`,
    loading: "lazy",
  });
  const scale = Math.max(1, Math.ceil(SMALL / Math.max(sprite.width, sprite.height)));
  image.style.width = `${sprite.width * sprite.columns * scale}px`;
  const more = sprite.more ? ` ${sprite.more} more are not shown.` : "";
  return element("figure", { class: "mosaic" }, image, element("figcaption", {}, `${sprite.caption}${more}`));
}

const [WIDTH, HEIGHT] = [240, 80];

export function histogramFigure(histogram) {
  const most = Math.max(...histogram.counts);
  const step = WIDTH / histogram.counts.length;
  const bars = histogram.counts.map((count, index) => {
    const height = most ? (count / most) * HEIGHT : 0;
    return drawn("rect", { x: index * step, y: HEIGHT - height, width: step - 0.5, height });
  });
  const zero = -histogram.low / (histogram.high - histogram.low || 1);
  if (zero >= 0 && zero <= 1) {
    bars.push(drawn("line", { x1: zero * WIDTH, x2: zero * WIDTH, y1: 0, y2: HEIGHT, class: "zero" }));
  }
  const words =
    `${number(histogram.low)} to ${number(histogram.high)}, mean ${number(histogram.mean)}, ` +
    `deviation ${number(histogram.deviation)}, ${percent(histogram.zeros)} zeros`;
  return element(
    "figure",
    { class: "histogram" },
    drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `Histogram: ${words}` }, ...bars),
    element("figcaption", {}, element("b", {}, histogram.title), ` ${words}`),
  );
}

// ROI max pooling; the rounding is that of bins.py, step by step. REAL is float or double.
#include "common.cuh"
#include "regions.cuh"
#include "rounding.cuh"
#include "scatter.cuh"

// What a maximum must exceed, for every dtype: the lowest float.
#define LOWEST ((REAL)__int_as_float(0xff7fffff))

// Pixels [start, end) of an axis.
struct Span {
    long long start, end;
};

// Bin `bin` of `bins` of a region from corner to corner, both ends included, cut to `length` pixels.
__device__ Span bin_of(REAL low, REAL high, REAL scale, long long bin, long long bins, long long length) {
    const long long first = whole(round(rounded_product(low, scale)));  // halves away from zero
    const long long last = whole(round(rounded_product(high, scale)));
    const REAL step = (REAL)max(last - first + 1, 1LL) / (REAL)bins;
    const long long start = first + (long long)floor((REAL)bin * step);
    const long long end = first + (long long)ceil((REAL)(bin + 1) * step);
    return {min(max(start, 0LL), length), min(max(end, 0LL), length)};
}

// y[k, c, p, q] = the maximum over the bin's pixels of plane c of the region's image, and its place; a thread per bin
extern "C" __global__ void roi_pool_forward(const REAL* xs, const REAL* rois, REAL* ys, long long* argmax,
                                            long long count, long long batch, long long channels, long long H,
                                            long long W, long long OH, long long OW, REAL scale) {
    FOR_EACH(place, count) {
        const long long q = place % OW, p = place / OW % OH, c = place / (OW * OH) % channels;
        const REAL* roi = rois + place / (OW * OH * channels) * 5;
        const long long n = image_of(roi, batch);
        const Span rows = bin_of(roi[2], roi[4], scale, p, OH, H), columns = bin_of(roi[1], roi[3], scale, q, OW, W);
        const REAL* x = xs + (n * channels + c) * (H * W);
        const bool any = rows.end > rows.start && columns.end > columns.start;
        REAL best = n < 0 ? NOT_A_NUMBER : any ? LOWEST : REAL(0);
        long long index = -1;
        for (long long h = rows.start; n >= 0 && h < rows.end; ++h)
            for (long long w = columns.start; w < columns.end; ++w)
                if (x[h * W + w] > best) {
                    best = x[h * W + w];
                    index = h * W + w;
                }
        ys[place] = best;
        argmax[place] = index;
    }
}

// dx[n, c, h, w] = sum over the bins of image n that have their maximum there, in the order of the bins; a block per
// plane (n, c), in which every pixel has a thread of its own
extern "C" __global__ void __launch_bounds__(THREADS)
roi_pool_backward(const REAL* dys, const long long* argmax, const REAL* rois, REAL* dxs, long long batch,
                  long long channels, long long pixels, long long regions, long long bins) {
    __shared__ Items items;
    for (long long plane = blockIdx.x; plane < batch * channels; plane += gridDim.x) {
        const long long n = plane / channels, c = plane % channels;
        REAL* dx = dxs + plane * pixels;
        for (long long pixel = threadIdx.x; pixel < pixels; pixel += THREADS) dx[pixel] = REAL(0);
        scatter(
            items, regions * bins,
            [&](long long item, REAL& gradient) {
                const long long k = item / bins, place = (k * channels + c) * bins + item % bins;
                if (image_of(rois + k * 5, batch) != n) return -1LL;
                gradient = dys[place];
                return argmax[place] < pixels ? argmax[place] : -1LL;
            },
            [&](long long pixel, REAL gradient) { dx[pixel] += gradient; });
    }
}

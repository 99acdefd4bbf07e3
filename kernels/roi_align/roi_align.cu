// ROI align; positions are computed as in sampling.py, step by step. REAL is float or double.
#include "common.cuh"
#include "regions.cuh"
#include "rounding.cuh"

#define THREADS 256

// How regions are sampled along both axes.
#define SAMPLING long long OH, long long OW, REAL scale, long long ratio, int aligned

// The samples of a region along one axis: bins of `points` samples each.
struct Grid {
    REAL start, step;
    long long points;

    __device__ REAL position(long long bin, long long point) const {
        const REAL edge = start + rounded_product((REAL)bin, step);
        return edge + ((REAL)point + REAL(0.5)) * step / (REAL)points;
    }
};

__device__ Grid grid_of(REAL low, REAL high, REAL scale, long long bins, long long ratio, int aligned) {
    const REAL shift = aligned ? REAL(0.5) : REAL(0);
    const REAL first = rounded_product(low, scale) - shift, last = rounded_product(high, scale) - shift;
    const REAL step = (aligned ? last - first : max(last - first, REAL(1))) / (REAL)bins;
    return {first, step, ratio > 0 ? ratio : max(whole(ceil(step)), 0LL)};
}
__device__ Grid rows_of(const REAL* roi, SAMPLING) { return grid_of(roi[2], roi[4], scale, OH, ratio, aligned); }
__device__ Grid columns_of(const REAL* roi, SAMPLING) { return grid_of(roi[1], roi[3], scale, OW, ratio, aligned); }

// What the sums of a region are divided by.
__device__ REAL count_of(const Grid& rows, const Grid& columns) {
    return (REAL)max(rows.points * columns.points, 1LL);
}

// A position's lower and upper pixel, the share of the upper one, and whether the position counts: it does up to one
// pixel outside, where the outermost pixel is taken.
struct Neighbours {
    long long lower, upper;
    REAL share;
    bool counts;
};
__device__ Neighbours neighbours(REAL position, long long length) {
    const REAL inside = min(max(position, REAL(0)), (REAL)(length - 1));
    const long long lower = (long long)floor(inside);
    return {lower, min(lower + 1, length - 1), inside - (REAL)lower, position >= REAL(-1) && position <= (REAL)length};
}

// y[k, c, p, q] = the mean of the bin's bilinear samples; a thread per bin
extern "C" __global__ void roi_align_forward(const REAL* xs, const REAL* rois, REAL* ys, long long count,
                                             long long batch, long long channels, long long H, long long W, SAMPLING) {
    FOR_EACH(place, count) {
        const long long q = place % OW, p = place / OW % OH, c = place / (OW * OH) % channels;
        const REAL* roi = rois + place / (OW * OH * channels) * 5;
        const long long n = image_of(roi, batch);
        const Grid rows = rows_of(roi, OH, OW, scale, ratio, aligned);
        const Grid columns = columns_of(roi, OH, OW, scale, ratio, aligned);
        const REAL* x = xs + (n * channels + c) * (H * W);
        REAL sum = n < 0 ? NOT_A_NUMBER : REAL(0);
        for (long long i = 0; n >= 0 && i < rows.points; ++i) {
            const Neighbours v = neighbours(rows.position(p, i), H);
            if (!v.counts) continue;
            const REAL *upper = x + v.lower * W, *lower = x + v.upper * W;  // rows as they stand in the picture
            for (long long j = 0; j < columns.points; ++j) {
                const Neighbours u = neighbours(columns.position(q, j), W);
                if (u.counts)
                    sum += (1 - v.share) * ((1 - u.share) * upper[u.lower] + u.share * upper[u.upper]) +
                           v.share * ((1 - u.share) * lower[u.lower] + u.share * lower[u.upper]);
            }
        }
        ys[place] = sum / count_of(rows, columns);
    }
}

// weights[k, bin, pixel] = what the samples of a region's bin weigh a pixel along one axis, in sum: that of the rows
// (`vertical`) or the columns; a thread per weight
extern "C" __global__ void axis_weights(const REAL* rois, REAL* weights, long long count, long long length,
                                        int vertical, SAMPLING) {
    const long long bins = vertical ? OH : OW;
    FOR_EACH(place, count) {
        const long long pixel = place % length, bin = place / length % bins;
        const REAL* roi = rois + place / (length * bins) * 5;
        const Grid grid = vertical ? rows_of(roi, OH, OW, scale, ratio, aligned)
                                   : columns_of(roi, OH, OW, scale, ratio, aligned);
        REAL sum = 0;
        for (long long i = 0; i < grid.points; ++i) {
            const Neighbours at = neighbours(grid.position(bin, i), length);
            if (at.counts && at.lower == pixel) sum += 1 - at.share;
            if (at.counts && at.upper == pixel) sum += at.share;
        }
        weights[place] = sum;
    }
}

// Pixels [start, end) of an axis, among which are all that a region samples.
struct Span {
    long long start, end;
};
__device__ Span span_of(const Grid& grid, long long bins, long long length) {
    if (grid.points == 0) return {0, 0};
    const REAL a = grid.position(0, 0), b = grid.position(bins - 1, grid.points - 1);
    return {neighbours(min(a, b), length).lower, neighbours(max(a, b), length).upper + 1};
}

// spans[k] = the rows [start, end), then the columns, among which are all pixels that a region samples; parts[k] = 1 / the
// samples of a bin; a thread per region
extern "C" __global__ void region_spans(const REAL* rois, long long* spans, REAL* parts, long long count, long long H,
                                        long long W, SAMPLING) {
    FOR_EACH(k, count) {
        const Grid rows = rows_of(rois + k * 5, OH, OW, scale, ratio, aligned);
        const Grid columns = columns_of(rois + k * 5, OH, OW, scale, ratio, aligned);
        const Span down = span_of(rows, OH, H), across = span_of(columns, OW, W);
        spans[k * 4] = down.start;
        spans[k * 4 + 1] = down.end;
        spans[k * 4 + 2] = across.start;
        spans[k * 4 + 3] = across.end;
        parts[k] = 1 / count_of(rows, columns);
    }
}

// What a region gives to a pixel: the sum over p, q of v[p] u[q] dy[p, q], for weights H and W elements apart.
__device__ REAL gathered(const REAL* v, long long H, const REAL* u, long long W, const REAL* dy, long long OH,
                         long long OW) {
    REAL sum = 0;
    for (long long p = 0; p < OH; ++p, v += H, dy += OW) {
        if (*v == 0) continue;
        for (long long q = 0; q < OW; ++q)
            if (u[q * W] != 0) sum += *v * u[q * W] * dy[q];
    }
    return sum;
}

// dx[n, c, h, w] = sum over the regions of image n and their bins of v[k, p, h] u[k, q, w] dy[k, c, p, q] / count; a block
// per plane (n, c) takes the regions in their order, for each its threads share the pixels that it samples, a warp a row
extern "C" __global__ void __launch_bounds__(THREADS, 4)  // four blocks: 64 registers, where the compiler took 40 and spilled
roi_align_backward(const REAL* dys, const REAL* rois, const REAL* vs, const REAL* us, const long long* spans,
                   const REAL* parts, REAL* dxs, long long regions, long long batch, long long channels, long long H,
                   long long W, long long OH, long long OW) {
    for (long long plane = blockIdx.x; plane < batch * channels; plane += gridDim.x) {
        const long long n = plane / channels, c = plane % channels;
        REAL* dx = dxs + plane * (H * W);
        for (long long pixel = threadIdx.x; pixel < H * W; pixel += THREADS) dx[pixel] = REAL(0);
        __syncthreads();
        for (long long k = 0; k < regions; ++k) {
            if (image_of(rois + k * 5, batch) != n) continue;
            const Span down = {spans[k * 4], spans[k * 4 + 1]}, across = {spans[k * 4 + 2], spans[k * 4 + 3]};
            const REAL* dy = dys + (k * channels + c) * (OH * OW);
            for (long long h = down.start + threadIdx.x / 32; h < down.end; h += THREADS / 32)
                for (long long w = across.start + threadIdx.x % 32; w < across.end; w += 32)
                    dx[h * W + w] += gathered(vs + k * OH * H + h, H, us + k * OW * W + w, W, dy, OH, OW) * parts[k];
            __syncthreads();  // the next region may sample the same pixels
        }
    }
}

// Resizing; which inputs an output looks at is computed as in coordinates.py, step by step. REAL is float or double.
//
// The coordinate an output looks at rises along the axis. So the outputs that look at an input are neighbours, and a
// gradient finds the first of them by bisection and gathers from there.
#include "common.cuh"
#include "rounding.cuh"

// An axis of `in` inputs and `out` outputs, which are `step` inputs apart (NUMBER: float for nearest, else double).
#define AXIS(NAME) long long NAME##_in, long long NAME##_out, NUMBER NAME##_step

// The first output whose lower(output) is at least `input`; `out` if there is none.
template <class Lower>
__device__ long long first_output(long long input, long long out, Lower lower) {
    long long first = 0, end = out;
    while (first < end) {
        const long long middle = (first + end) / 2;
        if (lower(middle) >= input) end = middle;
        else first = middle + 1;
    }
    return first;
}

// ---- nearest: up to three axes d, h, w ----------------------------------------------------------

#define NUMBER float
#define AXES AXIS(d), AXIS(h), AXIS(w)

__device__ long long nearest(long long o, long long in, long long out, float step) {
    if (out == in) return o;
    if (out == 2 * in) return o / 2;
    return min((long long)floor((float)o * step), in - 1);
}
#define NEAREST(NAME) nearest(NAME, NAME##_in, NAME##_out, NAME##_step)

extern "C" __global__ void nearest_forward(const REAL* xs, REAL* ys, long long count, AXES) {
    FOR_EACH(place, count) {
        const long long w = place % w_out, h = place / w_out % h_out, d = place / (w_out * h_out) % d_out;
        const long long plane = place / (w_out * h_out * d_out);
        ys[place] = xs[((plane * d_in + NEAREST(d)) * h_in + NEAREST(h)) * w_in + NEAREST(w)];
    }
}

// The outputs [start_NAME, end_NAME) of an axis that copy input NAME.
#define COPIES(NAME)                                                                                           \
    const auto source_##NAME = [&](long long o) { return nearest(o, NAME##_in, NAME##_out, NAME##_step); };    \
    const long long start_##NAME = first_output(NAME, NAME##_out, source_##NAME);                              \
    const long long end_##NAME = first_output(NAME + 1, NAME##_out, source_##NAME)

extern "C" __global__ void nearest_backward(const REAL* dys, REAL* dxs, long long count, AXES) {
    FOR_EACH(place, count) {
        const long long w = place % w_in, h = place / w_in % h_in, d = place / (w_in * h_in) % d_in;
        const long long plane = place / (w_in * h_in * d_in);
        COPIES(d);
        COPIES(h);
        COPIES(w);
        REAL sum = 0;
        for (long long k = start_d; k < end_d; ++k)
            for (long long i = start_h; i < end_h; ++i)
                for (long long j = start_w; j < end_w; ++j)
                    sum += dys[((plane * d_out + k) * h_out + i) * w_out + j];
        dxs[place] = sum;
    }
}

// ---- bilinear: two axes h and w -----------------------------------------------------------------

#undef NUMBER
#define NUMBER double

// The two inputs around an output's coordinate, and the share of the second.
struct Neighbours {
    long long low, high;
    REAL share;

    // What the output gives to an input.
    __device__ REAL weight(long long input) const {
        return (low == input ? 1 - share : REAL(0)) + (high == input ? share : REAL(0));
    }
};
__device__ Neighbours neighbours(long long o, long long in, long long out, double step, int align_corners) {
    if (out == in) return {o, o, REAL(0)};
    const double coordinate = align_corners ? (out > 1 ? (double)(o * (in - 1)) / (double)(out - 1) : 0)
                                            : max(rounded_product((double)o + 0.5, step) - 0.5, 0.0);
    const long long low = (long long)min(coordinate, (double)(in - 1));
    return {low, min(low + 1, in - 1), (REAL)min(coordinate - (double)low, 1.0)};
}

extern "C" __global__ void bilinear_forward(const REAL* xs, REAL* ys, long long count, AXIS(h), AXIS(w),
                                            int align_corners) {
    FOR_EACH(place, count) {
        const long long j = place % w_out, i = place / w_out % h_out;
        const REAL* x = xs + place / (w_out * h_out) * (h_in * w_in);
        const Neighbours h = neighbours(i, h_in, h_out, h_step, align_corners);
        const Neighbours w = neighbours(j, w_in, w_out, w_step, align_corners);
        const REAL *top = x + h.low * w_in, *bottom = x + h.high * w_in;
        ys[place] = (1 - h.share) * ((1 - w.share) * top[w.low] + w.share * top[w.high]) +
                    h.share * ((1 - w.share) * bottom[w.low] + w.share * bottom[w.high]);
    }
}

// The outputs [start_NAME, end_NAME) of an axis for which input NAME may be one of the two.
#define TAKERS(NAME)                                                                             \
    const auto low_##NAME = [&](long long o) {                                                   \
        return neighbours(o, NAME##_in, NAME##_out, NAME##_step, align_corners).low;             \
    };                                                                                           \
    const long long start_##NAME = first_output(NAME - 1, NAME##_out, low_##NAME);               \
    const long long end_##NAME = first_output(NAME + 1, NAME##_out, low_##NAME)

extern "C" __global__ void __launch_bounds__(256)
bilinear_backward(const REAL* dys, REAL* dxs, long long count, AXIS(h), AXIS(w), int align_corners) {
    FOR_EACH(place, count) {
        const long long w = place % w_in, h = place / w_in % h_in;
        const REAL* dy = dys + place / (w_in * h_in) * (h_out * w_out);
        TAKERS(h);
        TAKERS(w);
        REAL sum = 0;
        for (long long i = start_h; i < end_h; ++i) {
            const REAL vertical = neighbours(i, h_in, h_out, h_step, align_corners).weight(h);
            for (long long j = start_w; j < end_w; ++j)
                sum += vertical * neighbours(j, w_in, w_out, w_step, align_corners).weight(w) * dy[i * w_out + j];
        }
        dxs[place] = sum;
    }
}

// Local response normalisation, one thread per element, whose neighbours in other channels the threads beside it read
// too. Arrays are (N, C, plane); REAL is float or double.
#include "common.cuh"

// The window reaches `below` channels down and `above` up; coefficient is alpha / size.
#define NORM long long count, long long channels, long long plane, long long below, long long above, \
             REAL coefficient, REAL beta, REAL k

// The body runs for the places of the channels `down` below to `up` above that of place i, as far as they exist.
#define FOR_EACH_NEIGHBOUR(i, down, up, place)                                                   \
    for (long long c_ = (i) / plane % channels, first_ = max(c_ - (down), 0ll), last_ = min(c_ + (up), channels - 1), \
                   place = (i) + (first_ - c_) * plane;                                          \
         first_ <= last_; ++first_, place += plane)

#define SCALE(i, scale)                                                                          \
    REAL scale = 0;                                                                              \
    FOR_EACH_NEIGHBOUR(i, below, above, place) { scale += xs[place] * xs[place]; }               \
    scale = k + coefficient * scale;

// y = x scale^-beta
extern "C" __global__ void local_response_norm_forward(const REAL* xs, REAL* ys, NORM) {
    FOR_EACH(i, count) {
        SCALE(i, scale)
        ys[i] = xs[i] * pow(scale, -beta);
    }
}

// The gradient's two parts: what comes through the numerator, dy scale^-beta, and per window what its channels will get
// through the scale, dy x scale^(-beta - 1).
extern "C" __global__ void local_response_norm_backward_parts(const REAL* dys, const REAL* xs, REAL* direct,
                                                              REAL* through_scale, NORM) {
    FOR_EACH(i, count) {
        SCALE(i, scale)
        direct[i] = dys[i] * pow(scale, -beta);
        through_scale[i] = direct[i] * xs[i] / scale;
    }
}

// dx, which holds the direct part, loses 2 alpha beta / size x times the sum over the windows that hold the element:
// those of the channels `above` below to `below` above.
extern "C" __global__ void local_response_norm_backward_gather(const REAL* xs, const REAL* through_scale, REAL* dxs,
                                                               NORM) {
    FOR_EACH(i, count) {
        REAL sum = 0;
        FOR_EACH_NEIGHBOUR(i, above, below, place) { sum += through_scale[place]; }
        dxs[i] -= REAL(2) * coefficient * beta * xs[i] * sum;
    }
}

// Softmax and its logarithm along lines, in three walks over a line: its maximum, its sum, its results. REAL is float
// or double. What nearly cancels is added up in double.
#include "common.cuh"
#include "lines.cuh"
#include "softmax.cuh"

// y = e^(x - largest) / total
extern "C" __global__ void softmax_forward(const REAL* xs, REAL* ys, LINES) {
    FOR_EACH_LINE(line) {
        const long long first = FIRST_OF_LINE(line);
        REAL largest, total;
        normalizer(xs + first, length, inner, largest, total);
        FOR_EACH_OF_LINE(k) { ys[first + k * inner] = exp(xs[first + k * inner] - largest) / total; }
    }
}

// y = (x - largest) - log(total)
extern "C" __global__ void log_softmax_forward(const REAL* xs, REAL* ys, LINES) {
    FOR_EACH_LINE(line) {
        const long long first = FIRST_OF_LINE(line);
        REAL largest, total;
        normalizer(xs + first, length, inner, largest, total);
        const REAL logarithm = log(total);
        FOR_EACH_OF_LINE(k) { ys[first + k * inner] = (xs[first + k * inner] - largest) - logarithm; }
    }
}

// dx = y (dy - sum of dy y)
extern "C" __global__ void softmax_backward(const REAL* dys, const REAL* ys, REAL* dxs, LINES) {
    FOR_EACH_LINE(line) {
        const long long first = FIRST_OF_LINE(line);
        double total = 0;
        FOR_EACH_OF_LINE(k) { total += (double)dys[first + k * inner] * ys[first + k * inner]; }
        total = sum_of_lanes(total);
        FOR_EACH_OF_LINE(k) {
            const long long place = first + k * inner;
            dxs[place] = (REAL)(ys[place] * (dys[place] - total));
        }
    }
}

// dx = dy - e^y sum of dy
extern "C" __global__ void log_softmax_backward(const REAL* dys, const REAL* ys, REAL* dxs, LINES) {
    FOR_EACH_LINE(line) {
        const long long first = FIRST_OF_LINE(line);
        double total = 0;
        FOR_EACH_OF_LINE(k) { total += dys[first + k * inner]; }
        total = sum_of_lanes(total);
        FOR_EACH_OF_LINE(k) {
            const long long place = first + k * inner;
            dxs[place] = (REAL)(dys[place] - exp((double)ys[place]) * total);
        }
    }
}

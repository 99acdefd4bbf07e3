// The multi-class hinge loss, the threads of a warp per sample (lines.cuh). With z[c] = margin - x[t] + x[c] for a sample
// of label t; REAL is float or double, losses are in double.
#include "common.cuh"
#include "lines.cuh"
#include "loss.cuh"

// Whether the label is a class, for which alone there is a score.
#define IS_CLASS(label) ((label) >= 0 && (label) < length)

// l = w[t] / C sum over c != t of max(0, z[c])^p
extern "C" __global__ void margin_losses(const REAL* xs, LABELS, double* losses, LINES, double margin, int p) {
    FOR_EACH_LINE(line) {
        const REAL* x = xs + FIRST_OF_LINE(line);
        const long long label = labels[line];
        const double own = IS_CLASS(label) ? x[label * inner] : 0;
        double sum = 0;
        FOR_EACH_OF_LINE(c) {
            const double z = margin - own + x[c * inner];
            if (c != label && !(z < 0)) sum += p == 1 ? z : z * z;  // NaN is not below 0
        }
        sum = sum_of_lanes(sum);
        if (threadIdx.x % LANES == 0) losses[line] = sample_weight(label, weights, length, ignore_index) * sum / length;
    }
}

// dx[c] = g w[t] / C p z[c]^(p - 1) where c != t and z[c] > 0, else 0; dx[t] = minus the sum of the others
extern "C" __global__ void margin_gradients(UPSTREAM, const REAL* xs, LABELS, REAL* dxs, LINES, double margin, int p) {
    FOR_EACH_LINE(line) {
        const long long first = FIRST_OF_LINE(line), label = labels[line];
        const double own = IS_CLASS(label) ? xs[first + label * inner] : 0;
        const double scale = UPSTREAM_OF(line) * sample_weight(label, weights, length, ignore_index) * p / length;
        double sum = 0;
        FOR_EACH_OF_LINE(c) {
            const double z = margin - own + xs[first + c * inner];
            const double push = scale * (z > 0 ? p == 1 ? 1 : z : 0);
            if (c == label) continue;
            dxs[first + c * inner] = (REAL)push;
            sum += push;
        }
        sum = sum_of_lanes(sum);
        if (IS_CLASS(label) && threadIdx.x % LANES == 0) dxs[first + label * inner] = (REAL)-sum;
    }
}

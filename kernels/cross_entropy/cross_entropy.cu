// Cross-entropy of logits, with labels or probabilities as targets. A sample is a line along the classes (lines.cuh),
// its logits are normalised as in softmax. REAL is float or double; everything is computed in double.
#include "common.cuh"
#include "lines.cuh"
#include "softmax.cuh"
#include "loss.cuh"

#define THREADS 256
#define BLOCKS 4  // that many shall fit onto a multiprocessor, which bounds the registers

#define WEIGHT(c) (weights ? (double)weights[c] : 1.0)

// log p[c] of the line at x
#define LOG_PROBABILITIES(x)                                                                     \
    REAL largest;                                                                                \
    double total_;                                                                               \
    normalizer(x, length, inner, largest, total_);                                               \
    const double logarithm = log(total_);
#define LOG_P(x, c) (((double)(x)[(c) * inner] - (double)largest) - logarithm)

// l = -(1 - e) w[label] log p[label] - e / C sum of w log p
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
label_losses(const REAL* xs, LABELS, double* losses, LINES, double smoothing) {
    FOR_EACH_LINE(sample) {
        const long long label = labels[sample];
        const double weight = sample_weight(label, weights, length, ignore_index);
        double loss = weight;  // of a sample that is ignored, or whose label is no class
        if (label != ignore_index && weight == weight) {
            const REAL* x = xs + FIRST_OF_LINE(sample);
            LOG_PROBABILITIES(x)
            loss = -(1 - smoothing) * weight * LOG_P(x, label);
            if (smoothing > 0) {
                double all = 0;
                FOR_EACH_OF_LINE(c) { all += WEIGHT(c) * LOG_P(x, c); }
                loss -= smoothing / length * sum_of_lanes(all);
            }
        }
        if (threadIdx.x % LANES == 0) losses[sample] = loss;
    }
}

// l = -sum of w q log p, where q = (1 - e) target + e / C
extern "C" __global__ void soft_losses(const REAL* xs, const REAL* targets, const REAL* weights, double* losses, LINES,
                                       double smoothing) {
    FOR_EACH_LINE(sample) {
        const REAL *x = xs + FIRST_OF_LINE(sample), *target = targets + FIRST_OF_LINE(sample);
        LOG_PROBABILITIES(x)
        double loss = 0;
        FOR_EACH_OF_LINE(c) {
            const double wanted = (1 - smoothing) * target[c * inner] + smoothing / length;
            loss -= WEIGHT(c) * wanted * LOG_P(x, c);
        }
        loss = sum_of_lanes(loss);
        if (threadIdx.x % LANES == 0) losses[sample] = loss;
    }
}

// w q, where q = (1 - e) target + e / C; without targets they are 1 at the label, else 0
#define PULL(c) \
    (WEIGHT(c) * ((1 - smoothing) * (targets ? (double)targets[first + (c) * inner] : c == label) + smoothing / length))

// dx = g (p sum of w q - w q)
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
gradients(UPSTREAM, const REAL* xs, const REAL* targets, LABELS, REAL* dxs, LINES, double smoothing) {
    FOR_EACH_LINE(sample) {
        const long long first = FIRST_OF_LINE(sample), label = targets ? -1 : labels[sample];
        const REAL* x = xs + first;
        double g = UPSTREAM_OF(sample);
        if (!targets) {
            const double weight = sample_weight(label, weights, length, ignore_index);
            if (weight != weight) g = weight;
            if (label == ignore_index) {
                FOR_EACH_OF_LINE(c) { dxs[first + c * inner] = 0; }
                continue;
            }
        }
        LOG_PROBABILITIES(x)
        double all = 0;
        FOR_EACH_OF_LINE(c) { all += PULL(c); }
        all = sum_of_lanes(all);
        FOR_EACH_OF_LINE(c) { dxs[first + c * inner] = (REAL)(g * (exp(LOG_P(x, c)) * all - PULL(c))); }
    }
}

// dt = -g (1 - e) w log p
extern "C" __global__ void target_gradients(UPSTREAM, const REAL* xs, const REAL* weights, REAL* dtargets, LINES,
                                            double smoothing) {
    FOR_EACH_LINE(sample) {
        const REAL* x = xs + FIRST_OF_LINE(sample);
        REAL* dtarget = dtargets + FIRST_OF_LINE(sample);
        LOG_PROBABILITIES(x)
        const double g = UPSTREAM_OF(sample) * (1 - smoothing);
        FOR_EACH_OF_LINE(c) { dtarget[c * inner] = (REAL)(-g * WEIGHT(c) * LOG_P(x, c)); }
    }
}

// Negative log-likelihood of labels. Scores are (N, classes, inner), sample n inner + s has its own at s of image n.
// REAL is float or double.
#include "common.cuh"
#include "loss.cuh"

// l = -w x[label], one thread per sample
extern "C" __global__ void nll_losses(const REAL* xs, LABELS, double* losses, long long count, long long classes,
                                      long long inner) {
    FOR_EACH(sample, count) {
        const long long label = labels[sample];
        const double weight = sample_weight(label, weights, classes, ignore_index);
        // Neither an ignored sample nor a label that is no class has a score.
        const bool counts = label != ignore_index && weight == weight;
        losses[sample] =
            counts ? -weight * xs[(sample / inner * classes + label) * inner + sample % inner] : weight;
    }
}

// dx = -g w at the label, else 0; one thread per score
extern "C" __global__ void nll_gradients(UPSTREAM, LABELS, REAL* dxs, long long count, long long classes,
                                         long long inner) {
    FOR_EACH(i, count) {
        const long long c = i / inner % classes, sample = i / (inner * classes) * inner + i % inner;
        const double weight = sample_weight(labels[sample], weights, classes, ignore_index);
        const bool pulled = labels[sample] == c || weight != weight;
        dxs[i] = pulled ? (REAL)(-UPSTREAM_OF(sample) * weight) : REAL(0);
    }
}

// Batch normalisation. Arrays are (N, C, plane); a channel has values = N plane values, counted 0 .. values - 1 and cut
// into parts, a block each. What the blocks find is put together in their order by one thread per channel, then one
// thread per element computes the result. Sums are in double; REAL is float or double.
#include "common.cuh"
#include "block.cuh"
#include "activations.cuh"

#define CHANNELS long long channels, long long plane, long long values, long long parts

// The body runs for the places of this thread's values. Images n and positions s are counted along, which spares two
// divisions per value.
#define FOR_EACH_OF_PART(place)                                                                  \
    const long long c_ = blockIdx.x / parts, part_ = blockIdx.x % parts;                         \
    const long long end_ = values * (part_ + 1) / parts;                                         \
    for (long long k_ = values * part_ / parts + threadIdx.x, n_ = k_ / plane, s_ = k_ % plane; k_ < end_; \
         k_ += THREADS, s_ += THREADS % plane, n_ += THREADS / plane + (s_ >= plane), s_ -= s_ >= plane ? plane : 0) \
        if (const long long place = (n_ * channels + c_) * plane + s_; true)

// ---- statistics of the batch --------------------------------------------------------------------

struct Moments {
    double count, mean, squares;  // squares: of the deviations from the mean, summed
};

// Welford's update by one more value.
__device__ void include(Moments& moments, double value) {
    const double deviation = value - moments.mean;
    moments.count += 1;
    moments.mean += deviation / moments.count;
    moments.squares += deviation * (value - moments.mean);
}

// The moments of the values of both (Chan, Golub and LeVeque).
__device__ Moments merged(const Moments& a, const Moments& b) {
    if (b.count == 0) return a;
    const double count = a.count + b.count, share = b.count / count, distance = b.mean - a.mean;
    return {count, a.mean + distance * share, a.squares + b.squares + distance * distance * a.count * share};
}

extern "C" __global__ void __launch_bounds__(THREADS)
moments_of_parts(const REAL* xs, double* found, CHANNELS) {
    __shared__ Moments partial[THREADS];
    Moments mine = {0, 0, 0};
    FOR_EACH_OF_PART(place) { include(mine, xs[place]); }
    partial[threadIdx.x] = mine;
    __syncthreads();
    for (int half = THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) partial[threadIdx.x] = merged(partial[threadIdx.x], partial[threadIdx.x + half]);
        __syncthreads();
    }
    if (threadIdx.x == 0) {
        double* out = found + 3 * (long long)blockIdx.x;
        out[0] = partial[0].count, out[1] = partial[0].mean, out[2] = partial[0].squares;
    }
}

// The running statistics may be null; the running variance is the unbiased one.
extern "C" __global__ void finish_moments(const double* found, REAL* means, REAL* inverse_stds, REAL* running_mean,
                                          REAL* running_var, CHANNELS, double momentum, double eps) {
    FOR_EACH(c, channels) {
        Moments all = {0, 0, 0};
        for (long long part = c * parts; part < (c + 1) * parts; ++part)
            all = merged(all, {found[3 * part], found[3 * part + 1], found[3 * part + 2]});
        const double variance = values ? all.squares / values : 0;
        means[c] = (REAL)all.mean;
        inverse_stds[c] = (REAL)(1 / sqrt(variance + eps));
        if (running_mean && values > 1) {
            const double unbiased = all.squares / (values - 1);
            running_mean[c] = (REAL)((1 - momentum) * running_mean[c] + momentum * all.mean);
            running_var[c] = (REAL)((1 - momentum) * running_var[c] + momentum * unbiased);
        }
    }
}

// ---- results ------------------------------------------------------------------------------------

// 1 / sqrt(var + eps)
extern "C" __global__ void inverse_deviations(const REAL* vars, REAL* inverse_stds, long long channels, REAL eps) {
    FOR_EACH(c, channels) { inverse_stds[c] = REAL(1) / sqrt(vars[c] + eps); }
}

// y = activation of (x - mean) inverse_std weight + bias; weights and biases may be null
extern "C" __global__ void normalize(const REAL* xs, const REAL* means, const REAL* inverse_stds, const REAL* weights,
                                     const REAL* biases, REAL* ys, long long count, long long channels,
                                     long long plane, int activation) {
    FOR_EACH(i, count) {
        const long long c = i / plane % channels;
        REAL value = (xs[i] - means[c]) * inverse_stds[c];
        if (weights) value *= weights[c];
        if (biases) value += biases[c];
        ys[i] = activated(value, activation);
    }
}

// ---- gradients ----------------------------------------------------------------------------------

// Per part the sums of dy normalised and of dy.
extern "C" __global__ void __launch_bounds__(THREADS)
gradient_sums_of_parts(const REAL* dys, const REAL* xs, const REAL* means, const REAL* inverse_stds, double* found,
                       CHANNELS) {
    __shared__ double partial[THREADS / 32];
    const REAL mean = means[blockIdx.x / parts], inverse_std = inverse_stds[blockIdx.x / parts];
    double weight_sum = 0, bias_sum = 0;
    FOR_EACH_OF_PART(place) {
        weight_sum += dys[place] * ((xs[place] - mean) * inverse_std);
        bias_sum += dys[place];
    }
    weight_sum = block_sum(weight_sum, partial);
    bias_sum = block_sum(bias_sum, partial);
    if (threadIdx.x == 0) {
        found[2 * (long long)blockIdx.x] = weight_sum;
        found[2 * (long long)blockIdx.x + 1] = bias_sum;
    }
}

extern "C" __global__ void finish_gradient_sums(const double* found, REAL* dweights, REAL* dbiases, long long channels,
                                                long long parts) {
    FOR_EACH(c, channels) {
        double weight_sum = 0, bias_sum = 0;
        for (long long part = c * parts; part < (c + 1) * parts; ++part) {
            weight_sum += found[2 * part];
            bias_sum += found[2 * part + 1];
        }
        dweights[c] = (REAL)weight_sum;
        dbiases[c] = (REAL)bias_sum;
    }
}

// dx = weight inverse_std (dy - db / values - normalised dw / values): what goes through the batch's mean and variance
// is taken off.
extern "C" __global__ void gradient_training(const REAL* dys, const REAL* xs, const REAL* means,
                                             const REAL* inverse_stds, const REAL* weights, const REAL* dweights,
                                             const REAL* dbiases, REAL* dxs, long long count, long long channels,
                                             long long plane, REAL values) {
    FOR_EACH(i, count) {
        const long long c = i / plane % channels;
        const REAL normalized = (xs[i] - means[c]) * inverse_stds[c];
        const REAL scale = weights ? weights[c] * inverse_stds[c] : inverse_stds[c];
        dxs[i] = scale * (dys[i] - dbiases[c] / values - normalized * dweights[c] / values);
    }
}

// dx = dy weight inverse_std
extern "C" __global__ void gradient_inference(const REAL* dys, const REAL* inverse_stds, const REAL* weights, REAL* dxs,
                                              long long count, long long channels, long long plane) {
    FOR_EACH(i, count) {
        const long long c = i / plane % channels;
        dxs[i] = dys[i] * (weights ? weights[c] * inverse_stds[c] : inverse_stds[c]);
    }
}

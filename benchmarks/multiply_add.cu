// Chains of multiply-adds in registers, as many as hide the latency: the most that a GPU computes in float32.
#define CHAINS 16

// out[thread] = the sum of the chains x -> x factor + term, each `turns` long and begun at its number
extern "C" __global__ void multiply_add(float* out, int turns, float factor, float term) {
    float chains[CHAINS];
    for (int i = 0; i < CHAINS; ++i) chains[i] = (float)i;
    for (int turn = 0; turn < turns; ++turn)
        for (int i = 0; i < CHAINS; ++i) chains[i] = fma(chains[i], factor, term);
    float sum = 0;
    for (int i = 0; i < CHAINS; ++i) sum += chains[i];
    out[(long long)blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

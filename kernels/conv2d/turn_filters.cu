// The weights as the gradient of the input reads them: for every channel of the input its weights in all filters.
#include "common.cuh"
#include "half.cuh"

// turned[g, c, o, t, u] = weights[g outputs + o, c, first + t step, ...]: of every stride-th tap, a channel's weights
extern "C" __global__ void turn_filters(const STORED* weights, STORED* turned, long long count, long long channels,
                                        long long outputs, long long KH, long long KW, long long first_down,
                                        long long step_down, long long taps_down, long long first_across,
                                        long long step_across, long long taps_across) {
    FOR_EACH(place, count) {
        const long long q = first_across + place % taps_across * step_across;
        const long long p = first_down + place / taps_across % taps_down * step_down;
        const long long filter = place / (taps_across * taps_down);  // (g, c, o)
        const long long o = filter % outputs, c = filter / outputs % channels, g = filter / (outputs * channels);
        turned[place] = weights[(((g * outputs + o) * channels + c) * KH + p) * KW + q];
    }
}

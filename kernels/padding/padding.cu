// Padding along one axis, arrays seen as (outer, length, inner): position s of x stands at o = s + before. ELEMENT is the
// elements' type, MODE one of the three below.
#include "common.cuh"

#define CONSTANT 0
#define REFLECT 1
#define REPLICATE 2

#define AXIS long long count, long long length, long long out_length, long long inner, long long before

extern "C" __global__ void pad_axis(const ELEMENT* xs, ELEMENT* ys, AXIS, ELEMENT value) {
    FOR_EACH(i, count) {
        long long s = i / inner % out_length - before;
        const long long last = length - 1;
#if MODE == REFLECT
        s = s < 0 ? -s : s > last ? 2 * last - s : s;
#elif MODE == REPLICATE
        s = s < 0 ? 0 : s > last ? last : s;
#endif
        const bool inside = s >= 0 && s <= last;
        ys[i] = inside ? xs[(i / (inner * out_length) * length + s) * inner + i % inner] : value;
    }
}

#if FLOATING
// dx[s] = the sum of dy over the positions o that show s, one thread per element
extern "C" __global__ void pad_axis_backward(const ELEMENT* dys, ELEMENT* dxs, AXIS) {
    FOR_EACH(i, count) {
        const long long s = i / inner % length, last = length - 1;
        const ELEMENT* dy = dys + i / (inner * length) * out_length * inner + i % inner;
        ELEMENT sum = 0;
        // Adds dy at the positions from `first` of x's continuation up to `end`, as far as there are any.
        const auto add = [&](long long first, long long end) {
            for (long long o = max(first + before, 0LL); o <= end + before && o < out_length; ++o) sum += dy[o * inner];
        };
#if MODE == REFLECT
        if (s > 0) add(-s, -s);
#elif MODE == REPLICATE
        if (s == 0) add(-before, -1);
#endif
        add(s, s);
#if MODE == REFLECT
        if (s < last) add(2 * last - s, 2 * last - s);
#elif MODE == REPLICATE
        if (s == last) add(length, out_length - 1 - before);
#endif
        dxs[i] = sum;
    }
}
#endif

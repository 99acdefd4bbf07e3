// Conversion, one thread per element: FROM and TO are the types; HALF is set where one of them is __half.
#include "common.cuh"
#include "half.cuh"

extern "C" __global__ void each_cast(const FROM* xs, TO* ys, long long count) {
    FOR_EACH(i, count) { ys[i] = (TO)xs[i]; }  // to bool: anything but 0 is true
}

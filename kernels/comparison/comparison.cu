// Questions element by element, one thread per element of the result. ELEMENT is the operands' type.
#include "common.cuh"
#include "broadcasting.cuh"

// y = QUESTION of a and b
#define BINARY(NAME, QUESTION)                                                                                 \
    extern "C" __global__ void NAME(const ELEMENT* as, const ELEMENT* bs, bool* ys, long long count, LENGTHS,  \
                                    STRIDES(a_step), STRIDES(b_step)) {                                        \
        FOR_EACH(i, count) {                                                                                   \
            SPLIT(i);                                                                                          \
            const ELEMENT a = as[PLACE(a_step)], b = bs[PLACE(b_step)];                                        \
            ys[i] = QUESTION;                                                                                  \
        }                                                                                                      \
    }

BINARY(equal, a == b)
BINARY(not_equal, a != b)
BINARY(less, a < b)
BINARY(less_equal, a <= b)
BINARY(greater, a > b)
BINARY(greater_equal, a >= b)
BINARY(logical_and, a && b)
BINARY(logical_or, a || b)
BINARY(logical_xor, a != b)

extern "C" __global__ void logical_not(const ELEMENT* xs, bool* ys, long long count) {
    FOR_EACH(i, count) { ys[i] = !xs[i]; }
}

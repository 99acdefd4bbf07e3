// CUDA's short vectors: float2, int4, make_float4(...), with the alignment they have on the device.
#pragma once

#define EMULATOR_VECTORS(ELEMENT, NAME)                                                        \
    struct alignas(2 * sizeof(ELEMENT)) NAME##2 { ELEMENT x, y; };                             \
    struct NAME##3 { ELEMENT x, y, z; };                                                       \
    struct alignas(sizeof(ELEMENT) > 4 ? 16 : 4 * sizeof(ELEMENT)) NAME##4 { ELEMENT x, y, z, w; }; \
    inline NAME##2 make_##NAME##2(ELEMENT x, ELEMENT y) { return {x, y}; }                     \
    inline NAME##3 make_##NAME##3(ELEMENT x, ELEMENT y, ELEMENT z) { return {x, y, z}; }       \
    inline NAME##4 make_##NAME##4(ELEMENT x, ELEMENT y, ELEMENT z, ELEMENT w) { return {x, y, z, w}; }

EMULATOR_VECTORS(float, float)
EMULATOR_VECTORS(double, double)
EMULATOR_VECTORS(int, int)
EMULATOR_VECTORS(unsigned, uint)
EMULATOR_VECTORS(long long, longlong)
#undef EMULATOR_VECTORS

struct dim3 {
    unsigned x = 1, y = 1, z = 1;
};

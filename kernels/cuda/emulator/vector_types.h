// CUDA's short vectors: float2, int4, make_float4(...), with the alignment they have on the device.
#pragma once

// Where accesses are counted a vector is stored as a whole; the compiler would store it member by member.
#ifdef EMULATOR_COUNTING
#define EMULATOR_STORED_WHOLE(NAME)                                         \
    __attribute__((always_inline)) NAME& operator=(const NAME& other) {     \
        return *static_cast<NAME*>(__builtin_memcpy(this, &other, sizeof other)); \
    }
#else
#define EMULATOR_STORED_WHOLE(NAME)
#endif

#define EMULATOR_VECTORS(ELEMENT, NAME)                                                        \
    struct alignas(2 * sizeof(ELEMENT)) NAME##2 { ELEMENT x, y; EMULATOR_STORED_WHOLE(NAME##2) }; \
    struct NAME##3 { ELEMENT x, y, z; EMULATOR_STORED_WHOLE(NAME##3) };                        \
    struct alignas(sizeof(ELEMENT) > 4 ? 16 : 4 * sizeof(ELEMENT)) NAME##4 {                   \
        ELEMENT x, y, z, w;                                                                    \
        EMULATOR_STORED_WHOLE(NAME##4)                                                         \
    };                                                                                         \
    inline NAME##2 make_##NAME##2(ELEMENT x, ELEMENT y) { return {x, y}; }                     \
    inline NAME##3 make_##NAME##3(ELEMENT x, ELEMENT y, ELEMENT z) { return {x, y, z}; }       \
    inline NAME##4 make_##NAME##4(ELEMENT x, ELEMENT y, ELEMENT z, ELEMENT w) { return {x, y, z, w}; }

EMULATOR_VECTORS(float, float)
EMULATOR_VECTORS(double, double)
EMULATOR_VECTORS(int, int)
EMULATOR_VECTORS(unsigned, uint)
EMULATOR_VECTORS(long long, longlong)
#undef EMULATOR_VECTORS
#undef EMULATOR_STORED_WHOLE

struct dim3 {
    unsigned x = 1, y = 1, z = 1;
};

// Barriers, warp intrinsics and atomics. Those that wait are macros, so that the source line travels with them.
#pragma once
#include <atomic>
#include <cstring>
#include <type_traits>

#include "runtime.h"

#define EMULATOR_HERE (emulator::Place{__FILE__, __LINE__, __COUNTER__})

#define __syncthreads() emulator::block_barrier(EMULATOR_HERE)
#define __syncwarp(...) ((void)emulator::exchange(emulator::mask_or_all(__VA_ARGS__), 0, EMULATOR_HERE))
#define __activemask() emulator::living_lanes()
#define __threadfence() ((void)0)
#define __threadfence_block() ((void)0)

#define __shfl_sync(mask, value, ...) emulator::shuffle<emulator::from_lane>(EMULATOR_HERE, mask, value, __VA_ARGS__)
#define __shfl_xor_sync(mask, value, ...) emulator::shuffle<emulator::across>(EMULATOR_HERE, mask, value, __VA_ARGS__)
#define __shfl_down_sync(mask, value, ...) emulator::shuffle<emulator::from_above>(EMULATOR_HERE, mask, value, __VA_ARGS__)
#define __shfl_up_sync(mask, value, ...) emulator::shuffle<emulator::from_below>(EMULATOR_HERE, mask, value, __VA_ARGS__)
#define __ballot_sync(mask, predicate) emulator::ballot(mask, predicate, EMULATOR_HERE)
#define __any_sync(mask, predicate) (emulator::ballot(mask, predicate, EMULATOR_HERE) != 0)
#define __all_sync(mask, predicate) (emulator::ballot(mask, !(predicate), EMULATOR_HERE) == 0)

namespace emulator {

inline unsigned mask_or_all(unsigned mask = 0xffffffffu) { return mask; }

inline unsigned ballot(unsigned mask, bool predicate, Place place) {
    const uint64_t* votes = exchange(mask, predicate, place);
    const unsigned voters = mask & living_lanes();
    unsigned result = 0;
    for (unsigned lane = 0; lane < 32; ++lane)
        if ((voters >> lane & 1) && votes[lane]) result |= 1u << lane;
    return result;
}

enum Direction { from_lane, across, from_above, from_below };

template <Direction direction, class T>
T shuffle(Place place, unsigned mask, T value, int argument, int width = 32) {
    static_assert(sizeof(T) <= 8, "a shuffle moves at most 8 bytes");
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    const uint64_t* all = exchange(mask, bits, place);
    const int lane = current->lane, first = lane & ~(width - 1), end = first + width;
    int source = lane;  // who would read outside its group keeps its own value
    if (direction == from_lane) source = first + (argument & (width - 1));
    if (direction == across && (lane ^ argument) < end) source = lane ^ argument;
    if (direction == from_above && lane + argument < end) source = lane + argument;
    if (direction == from_below && lane - argument >= first) source = lane - argument;
    std::memcpy(&value, &all[source], sizeof value);
    return value;
}

// Real atomics, although fibers never interrupt each other: ThreadSanitizer has to see them.
template <class T, class Change>
T read_modify_write(T* address, Change change) {
    std::atomic_ref<T> place(*address);
    T before = place.load(std::memory_order_relaxed);
    while (!place.compare_exchange_weak(before, change(before), std::memory_order_relaxed)) {
    }
    return before;
}

}  // namespace emulator

#define EMULATOR_ATOMIC(NAME, RESULT)                                                           \
    template <class T>                                                                          \
    inline T NAME(T* address, std::type_identity_t<T> value) {                                  \
        return emulator::read_modify_write(address, [&](T before) -> T { return RESULT; });     \
    }
EMULATOR_ATOMIC(atomicAdd, before + value)
EMULATOR_ATOMIC(atomicSub, before - value)
EMULATOR_ATOMIC(atomicMax, before < value ? value : before)
EMULATOR_ATOMIC(atomicMin, value < before ? value : before)
EMULATOR_ATOMIC(atomicExch, value)
EMULATOR_ATOMIC(atomicAnd, before & value)
EMULATOR_ATOMIC(atomicOr, before | value)
#undef EMULATOR_ATOMIC

template <class T>
inline T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
    return emulator::read_modify_write(address, [&](T before) { return before == expected ? value : before; });
}

// Reading, writing and adding at places that indices name. ELEMENT is the elements' type, FLOATING says whether it is a
// floating-point type.
//
// Arrays are seen as (outer, length, inner); of the middle axis, `taken` positions are named. Results are gathered: no two
// threads write to one element.
#include "common.cuh"
#include "broadcasting.cuh"

// Sums of integers wrap around, which C++ promises for unsigned ones only. What no element is named for is NaN, or 0.
#if FLOATING
typedef ELEMENT SUM;
#define MISSING ((ELEMENT)__int_as_float(0x7fffffff))
#else
typedef unsigned long long SUM;
#define MISSING ((ELEMENT)0)
#endif

// What is named for position i, of a table that may depend on o and r too.
#define NAMED const long long* targets, long long outer_step, long long step, long long inner_step
#define TARGET(o, i, r) targets[(o) * outer_step + (i) * step + (r) * inner_step]
#define SIZES long long count, long long length, long long taken, long long inner

// targets[i] = (what it was) times the axis' length plus the index, which may count from the end; -1 once an index is
// beyond its axis
extern "C" __global__ void add_axis(const long long* indices, long long* targets, long long count, long long length,
                                    int first, LENGTHS, STRIDES(index_step)) {
    FOR_EACH(i, count) {
        SPLIT(i);
        const long long given = indices[PLACE(index_step)], index = given < 0 ? given + length : given;
        const long long before = first ? 0 : targets[i];
        targets[i] = before < 0 || index < 0 || index >= length ? -1 : before * length + index;
    }
}

// y[o, i, r] = x[o, target, r]
extern "C" __global__ void take(const ELEMENT* xs, NAMED, ELEMENT* ys, SIZES) {
    FOR_EACH(place, count) {
        const long long r = place % inner, i = place / inner % taken, o = place / (inner * taken);
        const long long target = TARGET(o, i, r);
        ys[place] = target >= 0 && target < length ? xs[(o * length + target) * inner + r] : MISSING;
    }
}

// dx[o, a, r] = sum over the i with target a of dy[o, i, r], in their order
extern "C" __global__ void sum_of_takers(const ELEMENT* dys, NAMED, ELEMENT* dxs, SIZES) {
    FOR_EACH(place, count) {
        const long long r = place % inner, a = place / inner % length, o = place / (inner * length);
        SUM sum = 0;
        for (long long i = 0; i < taken; ++i)
            if (TARGET(o, i, r) == a) sum += (SUM)dys[(o * taken + i) * inner + r];
        dxs[place] = (ELEMENT)sum;
    }
}

// y[o, a, r] = the value of the last i with target a, or x[o, a, r] if there is none; values repeat along some axes
extern "C" __global__ void assign(const ELEMENT* xs, NAMED, const ELEMENT* values, ELEMENT* ys, SIZES, LENGTHS,
                                  STRIDES(value_step)) {
    FOR_EACH(place, count) {
        const long long r = place % inner, a = place / inner % length, o = place / (inner * length);
        long long i = taken - 1;
        while (i >= 0 && TARGET(o, i, r) != a) --i;
        ys[place] = xs[place];
        if (i < 0) continue;
        const long long named = (o * taken + i) * inner + r;
        SPLIT(named);
        ys[place] = values[PLACE(value_step)];
    }
}

// A view of y, which begins at `first`, becomes the values, which repeat along some axes.
extern "C" __global__ void assign_view(const ELEMENT* values, ELEMENT* ys, long long count, long long first, LENGTHS,
                                       STRIDES(value_step), STRIDES(y_step)) {
    FOR_EACH(i, count) {
        SPLIT(i);
        ys[first + PLACE(y_step)] = values[PLACE(value_step)];
    }
}

// ---- places of what is not 0: chunks of CHUNK elements, a thread for each --------------------------

#define CHUNK 64
#define FOR_EACH_NONZERO(place, chunk)                                                                          \
    for (long long place = (chunk) * CHUNK; place < min(((chunk) + 1) * CHUNK, size); ++place)                  \
        if (xs[place] != 0)

extern "C" __global__ void count_nonzero(const ELEMENT* xs, long long* counts, long long chunks, long long size) {
    FOR_EACH(chunk, chunks) {
        long long found = 0;
        FOR_EACH_NONZERO(place, chunk) ++found;
        counts[chunk] = found;
    }
}

// places[...] = the flat places in their order; ends[chunk] is how many there are up to the chunk's end
extern "C" __global__ void list_nonzero(const ELEMENT* xs, const long long* ends, long long* places, long long chunks,
                                        long long size) {
    FOR_EACH(chunk, chunks) {
        long long row = chunk ? ends[chunk - 1] : 0;
        FOR_EACH_NONZERO(place, chunk) places[row++] = place;
    }
}

// positions[i, axis] = where flat place i is along an axis
extern "C" __global__ void split_places(const long long* places, long long* positions, long long count,
                                        long long rank, long long axis, long long length, long long inner) {
    FOR_EACH(i, count) { positions[i * rank + axis] = places[i] / inner % length; }
}

// Concatenation and its backward, one thread per element of a part. ELEMENT is the elements' type.
//
// Seen as (outer, length, inner) both arrays are made of chunks, one per outer index; a part's chunk of `chunk` elements
// stands at `offset` in the whole's chunk of `whole_chunk` elements.
#include "common.cuh"

#define CHUNKS long long count, long long chunk, long long whole_chunk, long long offset
#define PLACE_IN_WHOLE(i) ((i) / chunk * whole_chunk + offset + (i) % chunk)

extern "C" __global__ void put_part(const ELEMENT* part, ELEMENT* whole, CHUNKS) {
    FOR_EACH(i, count) { whole[PLACE_IN_WHOLE(i)] = part[i]; }
}

extern "C" __global__ void take_part(const ELEMENT* whole, ELEMENT* part, CHUNKS) {
    FOR_EACH(i, count) { part[i] = whole[PLACE_IN_WHOLE(i)]; }
}

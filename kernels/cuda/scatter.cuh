// Scattering without atomics: a block brings items to places of its own in the items' order.
#pragma once

#define THREADS 256

// Shared memory for the items that a block looks at together, and the block's threads.
struct Items {
    long long places[THREADS];
    REAL values[THREADS];
};

// fetch(item, value) returns an item's place and sets its value; -1 is no place. put(place, value) runs for every
// item with a place, for one place always in the same thread and in the order of the items.
template <class Fetch, class Put>
__device__ void scatter(Items& items, long long count, Fetch fetch, Put put) {
    for (long long start = 0; start < count; start += THREADS) {
        const long long own = start + threadIdx.x;
        items.places[threadIdx.x] = own < count ? fetch(own, items.values[threadIdx.x]) : -1;
        __syncthreads();
        const int together = (int)min(count - start, (long long)THREADS);
        for (int i = 0; i < together; ++i) {
            const long long place = items.places[i];
            if (place >= 0 && place % THREADS == threadIdx.x) put(place, items.values[i]);
        }
        __syncthreads();
    }
}

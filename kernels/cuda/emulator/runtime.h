// What a compiled kernel asks of the scheduler, and what a launch consists of.
#pragma once
#include <cstdint>

#include "vector_types.h"

namespace emulator {

// Where in the source a thread waits; the number tells two places on one line apart.
struct Place {
    const char* file;
    int line, number;
};

struct Thread {
    uint3 index;
    unsigned lane;  // its place in its warp of 32
};

extern Thread* current;
extern uint3 block_index;
extern dim3 block_size, grid_size;

void* dynamic_shared_memory();
void block_barrier(Place place);

// Every thread of `mask` hands in a value and gets all 32; values of lanes outside it are undefined.
const uint64_t* exchange(unsigned mask, uint64_t value, Place place);
unsigned living_lanes();

// Ends the launch: the message says what this thread did wrong.
void fail(Place place, const char* message);

struct Launch {
    dim3 grid, block;
    uint64_t dynamic_shared_bytes;
    uint64_t order;               // of threads and blocks: 0 ascending, 1 descending, else the seed of a shuffle
    int fill;                     // the byte that shared memory holds before a block starts
    void (*body)(void** arguments);
    void** arguments;
    char *shared_begin, *shared_end;  // the kernel file's static shared memory
};

// What went wrong first. Without `line`, `object` and `code_offset` say where the machine code stood.
struct Fault {
    char message[512], file[256], object[512];
    int line, in_thread;
    uint64_t code_offset, data_address;
    uint3 block, thread;
};

}  // namespace emulator

// Counts what the instructions of a kernel read and write, as requests of warps. In the build for this the compiler calls
// a function before every access, ThreadSanitizer's, which this file defines in the place of that library.
//
// A request is what the lanes of a warp do together: the n-th execution of one instruction by each of them. Global memory
// answers in sectors of 32 bytes; shared memory has 32 banks of 4 bytes, each of which gives one word in a pass.
#pragma once

#include <cstdint>

#ifndef EMULATOR_COUNTING
namespace emulator {
inline void place_dynamic_shared(const char*, uint64_t) {}
inline void count_barrier() {}
inline void count_block() {}
}  // namespace emulator
#else

#include <dlfcn.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <vector>

#include "runtime.h"

namespace emulator {

enum Kind { load, store, atomic };

// An array: of the kernel's arguments, then of shared memory.
struct Memory {
    uint64_t begin, end;
};

// What one instruction did with one array, in all threads of the launch.
struct AccessCount {
    uint64_t code_offset;
    int32_t array, kind, bytes, padding;     // bytes: of one thread's access
    uint64_t accesses, requests;             // of threads, of warps
    uint64_t sectors, distinct_bytes;        // of global memory: fetched, and asked for
    uint64_t passes, fewest_passes;          // of shared memory: made, and without any conflict
};

namespace counting {

constexpr unsigned warp_lanes = 32, sector_bytes = 32, banks = 32, bank_bytes = 4;

struct Request {
    int array;
    std::vector<uint64_t> addresses;  // one for each lane that takes part, counted from the array's beginning
};

struct Instruction {
    Kind kind;
    unsigned bytes;
    std::vector<uint32_t> executions;            // by thread of the block
    std::vector<std::vector<Request>> requests;  // by warp, in the order of executions
};

inline std::vector<Memory> arrays;
inline unsigned global_arrays;
inline uint64_t barriers;
inline std::unordered_map<uint64_t, Instruction> instructions;  // of the block that runs
inline std::map<std::pair<uint64_t, int>, AccessCount> counts;

inline unsigned threads_of_block() { return block_size.x * block_size.y * block_size.z; }

// The array in which an address lies, the last one being dynamic shared memory; -1 for a thread's own memory.
inline int array_of(uint64_t address) {
    for (unsigned i = 0; i < arrays.size(); ++i)
        if (address >= arrays[i].begin && address < arrays[i].end) return int(i);
    return -1;
}

// How many different units of so many bytes the accesses of a part of a request touch.
inline std::vector<uint64_t> touched(const std::vector<uint64_t>& addresses, unsigned bytes, unsigned unit) {
    std::vector<uint64_t> units;
    for (uint64_t address : addresses)
        for (uint64_t i = address / unit; i <= (address + bytes - 1) / unit; ++i) units.push_back(i);
    std::sort(units.begin(), units.end());
    units.erase(std::unique(units.begin(), units.end()), units.end());
    return units;
}

// The passes over shared memory: lanes of 128 bytes together are served at a time, by as many passes as the busiest
// bank has different words.
inline void count_passes(const Request& request, unsigned bytes, AccessCount& count) {
    const unsigned together = std::max(1u, banks * bank_bytes / std::max(bytes, bank_bytes));
    for (unsigned first = 0; first < request.addresses.size(); first += together) {
        const auto begin = request.addresses.begin() + first;
        const auto end = request.addresses.begin() + std::min<std::size_t>(first + together, request.addresses.size());
        unsigned words[banks] = {};
        for (uint64_t word : touched({begin, end}, bytes, bank_bytes)) ++words[word % banks];
        count.passes += *std::max_element(words, words + banks);
        ++count.fewest_passes;
    }
}

inline void count_request(uint64_t code, const Instruction& instruction, const Request& request) {
    AccessCount& count = counts[{code, request.array}];
    count.code_offset = code;
    count.array = request.array;
    count.kind = instruction.kind;
    count.bytes = int(instruction.bytes);
    count.accesses += request.addresses.size();
    ++count.requests;
    if (unsigned(request.array) >= global_arrays) return count_passes(request, instruction.bytes, count);
    count.sectors += touched(request.addresses, instruction.bytes, sector_bytes).size();
    count.distinct_bytes += touched(request.addresses, instruction.bytes, 1).size();
}

// Called before the access of `code` happens.
inline void count_access(const volatile void* place, unsigned bytes, Kind kind, const void* code) {
    const auto address = reinterpret_cast<uint64_t>(place);
    const int array = current ? array_of(address) : -1;
    if (array < 0) return;
    const unsigned thread = (current->index.z * block_size.y + current->index.y) * block_size.x + current->index.x;
    Instruction& instruction = instructions[reinterpret_cast<uint64_t>(code)];
    if (instruction.executions.empty()) {
        instruction = {kind, bytes, {}, {}};
        instruction.executions.resize(threads_of_block());
        instruction.requests.resize(threads_of_block() / warp_lanes + 1);
    }
    std::vector<Request>& requests = instruction.requests[thread / warp_lanes];
    const unsigned execution = instruction.executions[thread]++;
    if (execution >= requests.size()) requests.resize(execution + 1, {array, {}});
    requests[execution].addresses.push_back(address - arrays[array].begin);
}

}  // namespace counting

// Where a block's dynamic shared memory lies, the last of the arrays.
inline void place_dynamic_shared(const char* memory, uint64_t bytes) {
    const auto begin = reinterpret_cast<uint64_t>(memory);
    if (!counting::arrays.empty()) counting::arrays.back() = {begin, begin + bytes};
}

inline void count_barrier() { ++counting::barriers; }

// Add up what the block did that has just ended.
inline void count_block() {
    for (const auto& [code, instruction] : counting::instructions)
        for (const auto& requests : instruction.requests)
            for (const auto& request : requests) counting::count_request(code, instruction, request);
    counting::instructions.clear();
}

}  // namespace emulator

// ---- what Python calls --------------------------------------------------------------------------

// Begin to count: the arrays in global memory, then those in shared memory, the last of them the dynamic one, whose place
// only the scheduler knows.
extern "C" void emulator_begin_counting(const emulator::Memory* arrays, int count, int global_arrays) {
    using namespace emulator::counting;
    emulator::counting::arrays.assign(arrays, arrays + count);
    emulator::counting::global_arrays = unsigned(global_arrays);
    barriers = 0;
    instructions.clear();
    counts.clear();
}

// Fill in rows, as many as there is room for, and the number of barriers; returns how many rows there are.
extern "C" int emulator_counts(emulator::AccessCount* rows, int room, uint64_t* barriers) {
    using namespace emulator;
    *barriers = counting::barriers;
    for (const auto& [key, count] : counting::counts) {
        if (room-- <= 0) break;
        Dl_info file{};
        dladdr(reinterpret_cast<void*>(count.code_offset), &file);
        *rows = count;
        // The address behind the call, so that the one before it is the call's.
        rows++->code_offset -= reinterpret_cast<uint64_t>(file.dli_fbase) + 1;
    }
    return int(counting::counts.size());
}

// ---- what the compiler calls --------------------------------------------------------------------

#define EMULATOR_COUNTED(NAME, BYTES, KIND)            \
    extern "C" void __tsan_##NAME(void* address) {     \
        emulator::counting::count_access(address, BYTES, emulator::KIND, __builtin_return_address(0)); \
    }
#define EMULATOR_COUNTED_SIZES(PREFIX)                                                  \
    EMULATOR_COUNTED(PREFIX##read2, 2, load) EMULATOR_COUNTED(PREFIX##write2, 2, store) \
    EMULATOR_COUNTED(PREFIX##read4, 4, load) EMULATOR_COUNTED(PREFIX##write4, 4, store) \
    EMULATOR_COUNTED(PREFIX##read8, 8, load) EMULATOR_COUNTED(PREFIX##write8, 8, store) \
    EMULATOR_COUNTED(PREFIX##read16, 16, load) EMULATOR_COUNTED(PREFIX##write16, 16, store)
EMULATOR_COUNTED(read1, 1, load)
EMULATOR_COUNTED(write1, 1, store)
EMULATOR_COUNTED_SIZES()
EMULATOR_COUNTED_SIZES(unaligned_)
#undef EMULATOR_COUNTED_SIZES
#undef EMULATOR_COUNTED

extern "C" void __tsan_init() {}
extern "C" void __tsan_read_range(void* address, unsigned long bytes) {
    emulator::counting::count_access(address, unsigned(bytes), emulator::load, __builtin_return_address(0));
}
extern "C" void __tsan_write_range(void* address, unsigned long bytes) {
    emulator::counting::count_access(address, unsigned(bytes), emulator::store, __builtin_return_address(0));
}

// What std::atomic_ref becomes (synchronization.h): the exchange is what counts, and it always succeeds, since threads
// are interrupted at barriers only.
#define EMULATOR_COUNTED_ATOMIC(BITS)                                                                            \
    extern "C" uint##BITS##_t __tsan_atomic##BITS##_load(const volatile uint##BITS##_t* address, int) {          \
        return *address;                                                                                         \
    }                                                                                                            \
    extern "C" int __tsan_atomic##BITS##_compare_exchange_weak(volatile uint##BITS##_t* address, uint##BITS##_t*, \
                                                               uint##BITS##_t value, int, int) {                 \
        emulator::counting::count_access(address, BITS / 8, emulator::atomic, __builtin_return_address(0));      \
        *address = value;                                                                                        \
        return 1;                                                                                                \
    }
extern "C" uint8_t __tsan_atomic8_load(const volatile uint8_t* address, int) { return *address; }  // static variables' guards
EMULATOR_COUNTED_ATOMIC(32)
EMULATOR_COUNTED_ATOMIC(64)
#undef EMULATOR_COUNTED_ATOMIC

#endif

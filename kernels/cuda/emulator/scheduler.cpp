// Runs a launch: block after block, and in a block every thread as a fiber until it waits or ends.
//
// Built once per mode and never instrumented itself. A fault ends the launch: the fiber that meets it is left
// where it stands, and `emulator_launch` returns what went wrong.
#include <dlfcn.h>
#include <signal.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <numeric>
#include <random>
#include <vector>

#include "counting.h"
#include "fiber.h"
#include "runtime.h"
#include "sanitizers.h"

namespace emulator {

Thread* current;
uint3 block_index;
dim3 block_size, grid_size;

namespace {

constexpr unsigned warp_threads = 32, all_phases = 8;
constexpr uint64_t undefined_value = ~0ull;  // NaN as a floating-point number, -1 as an integer

enum class State { fresh, runnable, at_barrier, at_exchange, finished };

struct Fiber : Thread {
    State state;
    Place place;              // where it waits
    unsigned warp, mask;      // mask: of the exchange it waits in
    void* stack_pointer;
    char* stack;
    void* sanitizer_fiber;
};

struct Warp {
    unsigned living, phase;
    uint64_t given[warp_threads], exchanged[warp_threads];
    char order[all_phases];   // only its address counts: what ThreadSanitizer synchronises on
};

std::vector<Fiber> fibers;
std::vector<Warp> warps;
std::vector<char*> free_stacks, shared_blocks;
std::vector<void*> sanitizer_fibers;
std::map<void*, char*> stack_of_sanitizer_fiber;
void *scheduler_stack_pointer, *scheduler_sanitizer_fiber;
unsigned living, waiting, barrier_phase;
char start_order, end_order, barrier_order[2];
const Launch* launch;
Fault* fault;
bool failed;
char* dynamic_shared;

Fiber& self() { return *static_cast<Fiber*>(current); }

void back_to_scheduler() {
    announce_switch(scheduler_sanitizer_fiber);
    emulator_switch_stacks(&self().stack_pointer, scheduler_stack_pointer);
}

// Note what went wrong; the first fault counts.
__attribute__((format(printf, 2, 3))) void note(const Place* place, const char* format, ...) {
    if (failed) return;
    failed = true;
    va_list values;
    va_start(values, format);
    std::vsnprintf(fault->message, sizeof fault->message, format, values);
    va_end(values);
    fault->block = block_index;
    fault->in_thread = current != nullptr;
    if (current) fault->thread = current->index;
    if (place) {
        std::snprintf(fault->file, sizeof fault->file, "%s", place->file);
        fault->line = place->line;
    }
}

// ---- the block's barrier ------------------------------------------------------------------------

// Let the block go on once all its living threads have arrived. Threads that have returned do not count.
void release_barrier() {
    if (!waiting || waiting != living) return;
    const Fiber* first = nullptr;
    for (Fiber& fiber : fibers) {
        if (fiber.state != State::at_barrier) continue;
        if (first && fiber.place.number != first->place.number)
            note(&fiber.place, "divergent barrier: some threads of the block are at this __syncthreads, others at line %d's",
                 first->place.line);
        if (!first) first = &fiber;
        fiber.state = State::runnable;
    }
    waiting = 0;
    ++barrier_phase;
    count_barrier();
}

// ---- exchanges within a warp --------------------------------------------------------------------

// Complete the exchange over `mask` if all its living lanes take part.
void release_exchange(unsigned number, unsigned mask) {
    Warp& warp = warps[number];
    Fiber* lanes = &fibers[number * warp_threads];
    const unsigned needed = mask & warp.living;
    const Fiber* first = nullptr;
    for (unsigned lane = 0; lane < warp_threads; ++lane)
        if ((needed >> lane & 1) && (lanes[lane].state != State::at_exchange || lanes[lane].mask != mask)) return;
    for (unsigned lane = 0; lane < warp_threads; ++lane) {
        const bool takes_part = needed >> lane & 1;
        if (mask >> lane & 1) warp.exchanged[lane] = takes_part ? warp.given[lane] : undefined_value;
        if (!takes_part) continue;
        if (first && lanes[lane].place.number != first->place.number)
            note(&lanes[lane].place, "divergent warp: some lanes are at this operation, others at line %d's",
                 first->place.line);
        if (!first) first = &lanes[lane];
        lanes[lane].state = State::runnable;
    }
    ++warp.phase;
}

// ---- the life of a fiber ------------------------------------------------------------------------

void run_thread() {
    acquire(&start_order);
    launch->body(launch->arguments);
    release(&end_order);
    Fiber& fiber = self();
    Warp& warp = warps[fiber.warp];
    fiber.state = State::finished;
    --living;
    warp.living &= ~(1u << fiber.lane);
    release_barrier();  // its end may be what others wait for
    for (unsigned i = fiber.warp * warp_threads; i < std::min<std::size_t>((fiber.warp + 1) * warp_threads, fibers.size()); ++i)
        if (fibers[i].state == State::at_exchange) release_exchange(fiber.warp, fibers[i].mask);
    back_to_scheduler();
}

char* take_stack(void* sanitizer_fiber) {
    if (thread_sanitizer) {  // a stack that changed owners would look shared
        char*& own = stack_of_sanitizer_fiber[sanitizer_fiber];
        if (!own) own = map_stack();
        return own;
    }
    if (free_stacks.empty()) return map_stack();
    char* stack = free_stacks.back();
    free_stacks.pop_back();
    return stack;
}

void give_back_stack(Fiber& fiber) {
    if (fiber.stack && !thread_sanitizer) free_stacks.push_back(fiber.stack);
    fiber.stack = nullptr;
}

void resume(Fiber& fiber) {
    if (fiber.state == State::fresh) {
        fiber.stack = take_stack(fiber.sanitizer_fiber);
        if (!fiber.stack) return note(nullptr, "no memory for the stacks of a block's threads");
        if (address_sanitizer()) __asan_unpoison_memory_region(fiber.stack, stack_bytes);
        fiber.stack_pointer = fresh_stack(fiber.stack, run_thread);
    }
    fiber.state = State::runnable;
    current = &fiber;
    announce_switch(fiber.sanitizer_fiber);
    emulator_switch_stacks(&scheduler_stack_pointer, fiber.stack_pointer);
    current = nullptr;
    if (fiber.state == State::finished) give_back_stack(fiber);
}

// ---- a block ------------------------------------------------------------------------------------

// Dynamic shared memory ends at an inaccessible page; under a sanitizer it is a block of malloc, whose exact
// end the sanitizer knows.
char* new_shared_memory(uint64_t bytes) {
    static char* fence = nullptr;
    static uint64_t mapped = 0;
    if (address_sanitizer() || thread_sanitizer) {
        shared_blocks.push_back(static_cast<char*>(std::malloc(std::max<uint64_t>(bytes, 1))));
        return shared_blocks.back();
    }
    if (!fence || bytes > mapped) {
        if (fence) munmap(fence - mapped, mapped + page_bytes);
        mapped = (bytes + page_bytes) / page_bytes * page_bytes;
        char* memory = static_cast<char*>(
            mmap(nullptr, mapped + page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        fence = memory + mapped;
        mprotect(fence, page_bytes, PROT_NONE);
    }
    return fence - (bytes + 15) / 16 * 16;
}

// A loop and not memset: the static part is instrumented memory with forbidden gaps, this file is not.
void fill_shared_memory() {
    for (volatile char* byte = launch->shared_begin; byte < launch->shared_end; ++byte) *byte = char(launch->fill);
    dynamic_shared = new_shared_memory(launch->dynamic_shared_bytes);
    std::memset(dynamic_shared, launch->fill, launch->dynamic_shared_bytes);
    place_dynamic_shared(dynamic_shared, launch->dynamic_shared_bytes);
}

void start_block(uint3 index) {
    static unsigned blocks_started = 0;
    ++blocks_started;
    block_index = index;
    living = unsigned(fibers.size());
    waiting = 0;
    fill_shared_memory();
    for (unsigned i = 0; i < fibers.size(); ++i) {
        Fiber& fiber = fibers[i];
        fiber.index = {i % block_size.x, i / block_size.x % block_size.y, i / (block_size.x * block_size.y)};
        fiber.warp = i / warp_threads;
        fiber.lane = i % warp_threads;
        fiber.state = State::fresh;
        // Another one in every block, so that two blocks' threads can race too.
        fiber.sanitizer_fiber = sanitizer_fibers[(i + blocks_started) % sanitizer_fibers.size()];
        warps[fiber.warp].living |= 1u << fiber.lane;
    }
    if (launch->shared_begin != launch->shared_end) acquire(&end_order);  // static shared memory serves every block
    release(&start_order);
}

void note_deadlock() {
    const Fiber *at_barrier = nullptr, *at_exchange = nullptr;
    unsigned barrier_count = 0, exchange_count = 0;
    for (const Fiber& fiber : fibers) {
        if (fiber.state == State::at_barrier) ++barrier_count, at_barrier = &fiber;
        if (fiber.state == State::at_exchange) ++exchange_count, at_exchange = &fiber;
    }
    const Fiber* waits = at_barrier ? at_barrier : at_exchange;
    current = const_cast<Fiber*>(waits);
    note(&waits->place, "divergent barrier: %u threads wait at a __syncthreads, %u at a warp operation (line %d), %zu have returned",
         barrier_count, exchange_count, at_exchange ? at_exchange->place.line : 0, fibers.size() - living);
    current = nullptr;
}

void run_block(const std::vector<unsigned>& order) {
    while (living) {
        bool moved = false;
        for (unsigned i : order) {
            if (fibers[i].state != State::fresh && fibers[i].state != State::runnable) continue;
            resume(fibers[i]);
            moved = true;
            if (failed) return;
        }
        if (!moved) return note_deadlock();
    }
}

// ---- faults that the processor finds ------------------------------------------------------------

uint64_t code_address(const void* context) {
#if defined(__x86_64__)
    return static_cast<const ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return static_cast<const ucontext_t*>(context)->uc_mcontext.pc;
#else
    return 0;
#endif
}

void on_signal(int number, siginfo_t* information, void* context) {
    if (!current) {  // not the kernel's doing
        signal(number, SIG_DFL);
        return;
    }
    note(nullptr, number == SIGFPE ? "integer division by zero" : "invalid memory access");
    if (!fault->code_offset) {
        fault->code_offset = code_address(context);
        fault->data_address = reinterpret_cast<uint64_t>(information->si_addr);
    }
    back_to_scheduler();
}

// Signal handlers for the time of a launch, on a stack of their own: a fiber's may be what overflowed.
class SignalGuard {
  public:
    SignalGuard() {
        if (address_sanitizer()) return;
        stack_t stack{};
        stack.ss_sp = memory_;
        stack.ss_size = sizeof memory_;
        sigaltstack(&stack, &former_stack_);
        struct sigaction action{};
        action.sa_sigaction = on_signal;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
        for (int i = 0; i < 3; ++i) sigaction(numbers_[i], &action, &former_[i]);
    }
    ~SignalGuard() {
        if (address_sanitizer()) return;
        for (int i = 0; i < 3; ++i) sigaction(numbers_[i], &former_[i], nullptr);
        sigaltstack(&former_stack_, nullptr);
    }

  private:
    static char memory_[64 << 10];
    static constexpr int numbers_[3] = {SIGSEGV, SIGBUS, SIGFPE};
    struct sigaction former_[3];
    stack_t former_stack_;
};
char SignalGuard::memory_[64 << 10];

// The file that holds the faulty machine code, and where in it.
void locate_code() {
    Dl_info information;
    if (!fault->code_offset || !dladdr(reinterpret_cast<void*>(fault->code_offset), &information)) return;
    std::snprintf(fault->object, sizeof fault->object, "%s", information.dli_fname);
    fault->code_offset -= reinterpret_cast<uint64_t>(information.dli_fbase);
}

#ifdef EMULATOR_ADDRESS_SANITIZER
}
void on_address_report(const char* report);
namespace {
#endif

void prepare(unsigned threads) {
#ifdef EMULATOR_ADDRESS_SANITIZER
    __asan_set_error_report_callback(on_address_report);
#endif
    while (sanitizer_fibers.size() < threads + 7) sanitizer_fibers.push_back(create_fiber());
    scheduler_sanitizer_fiber = this_fiber();
    fibers.assign(threads, Fiber{});
    warps.assign((threads + warp_threads - 1) / warp_threads, Warp{});
}

void clean_up() {
    acquire(&end_order);
    for (Fiber& fiber : fibers) give_back_stack(fiber);
    for (char* block : shared_blocks) std::free(block);
    shared_blocks.clear();
}

}  // namespace

// ---- what kernels call --------------------------------------------------------------------------

void* dynamic_shared_memory() { return dynamic_shared; }
unsigned living_lanes() { return warps[self().warp].living; }

void fail(Place place, const char* message) {
    note(&place, "%s", message);
    back_to_scheduler();
}

void block_barrier(Place place) {
    char* order = &barrier_order[barrier_phase % 2];
    Fiber& fiber = self();
    release(order);
    fiber.place = place;
    fiber.state = State::at_barrier;
    ++waiting;
    release_barrier();
    if (failed || fiber.state == State::at_barrier) back_to_scheduler();
    acquire(order);
}

const uint64_t* exchange(unsigned mask, uint64_t value, Place place) {
    Fiber& fiber = self();
    Warp& warp = warps[fiber.warp];
    if (!(mask >> fiber.lane & 1)) {
        note(&place, "lane %u takes part in a warp operation without being in its mask 0x%08x", fiber.lane, mask);
        back_to_scheduler();
    }
    char* order = &warp.order[warp.phase % all_phases];
    release(order);
    warp.given[fiber.lane] = value;
    fiber.mask = mask;
    fiber.place = place;
    fiber.state = State::at_exchange;
    release_exchange(fiber.warp, mask);
    if (failed || fiber.state == State::at_exchange) back_to_scheduler();
    acquire(order);
    return warp.exchanged;
}

}  // namespace emulator

// ---- what Python calls --------------------------------------------------------------------------

// Run a launch; returns 1 and describes the first fault if there was one.
extern "C" int emulator_launch(const emulator::Launch* wanted, emulator::Fault* first_fault) {
    using namespace emulator;
    SignalGuard guard;
    launch = wanted;
    fault = first_fault;
    failed = false;
    grid_size = wanted->grid;
    block_size = wanted->block;
    const unsigned threads = block_size.x * block_size.y * block_size.z;
    prepare(threads);
    std::vector<unsigned> order(threads);
    std::iota(order.begin(), order.end(), 0u);
    if (wanted->order == 1) std::reverse(order.begin(), order.end());
    std::mt19937_64 random(wanted->order);
    const uint64_t blocks = uint64_t(grid_size.x) * grid_size.y * grid_size.z;
    for (uint64_t i = 0; i < blocks && !failed; ++i) {
        const uint64_t number = wanted->order == 1 ? blocks - 1 - i : i;
        if (wanted->order > 1) std::shuffle(order.begin(), order.end(), random);
        start_block({unsigned(number % grid_size.x), unsigned(number / grid_size.x % grid_size.y),
                     unsigned(number / (uint64_t(grid_size.x) * grid_size.y))});
        run_block(order);
        count_block();
    }
    clean_up();
    locate_code();
    return failed;
}

// ---- what the sanitizers call ---------------------------------------------------------------------
//
// They call with their lock held, so the fiber goes on to its next barrier or its end.

#ifdef EMULATOR_UNDEFINED_SANITIZER
extern "C" void __ubsan_get_current_report_data(const char** kind, const char** message, const char** file,
                                                unsigned* line, unsigned* column, char** address);
extern "C" void __ubsan_on_report() {
    const char *kind, *message, *file;
    unsigned line, column;
    char* address;
    __ubsan_get_current_report_data(&kind, &message, &file, &line, &column, &address);
    if (!emulator::current) return;
    const emulator::Place place{file, int(line), 0};
    emulator::note(&place, "%s: %s", kind, message);
}
#endif

#ifdef EMULATOR_ADDRESS_SANITIZER
// The report's last line has it all: "SUMMARY: AddressSanitizer: KIND FOLDER/FILE:LINE in KERNEL".
void emulator::on_address_report(const char* report) {
    static const char mark[] = "SUMMARY: AddressSanitizer: ";
    const char* summary = std::strstr(report, mark);
    char kind[128], path[256];
    int line;
    if (!current || !summary) return;
    if (std::sscanf(summary + sizeof mark - 1, "%127s %255[^:]:%d", kind, path, &line) != 3)
        return note(nullptr, "%.200s", summary);
    const char* folder = std::strrchr(path, '/');
    const Place place{folder ? folder + 1 : path, line, 0};
    note(&place, "%s", kind);
}
#endif

#ifdef EMULATOR_THREAD_SANITIZER
extern "C" int __tsan_get_report_mop(void* report, unsigned long number, int* thread, void** address, int* size,
                                     int* write, int* atomic, void** trace, unsigned long trace_size);
extern "C" void __tsan_on_report(void* report) {
    int thread, size = 0, write = 0, atomic;
    void *address, *trace[8] = {};
    if (!emulator::current || emulator::failed) return;
    __tsan_get_report_mop(report, 0, &thread, &address, &size, &write, &atomic, trace, 8);
    emulator::note(nullptr, "data race: another thread uses the %d bytes that are %s here, with nothing in between",
                   size, write ? "written" : "read");
    emulator::fault->code_offset = reinterpret_cast<uint64_t>(trace[0]) - 1;
}
#endif

// A fiber: a function with a stack of its own, left and entered by switching stacks.
#pragma once
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

namespace emulator {

constexpr std::size_t page_bytes = 4096, stack_bytes = 256 << 10;

#if defined(__x86_64__) && !defined(EMULATOR_UCONTEXT)
// Saves what a called function must keep, changes stacks, and returns into the other fiber. swapcontext would do,
// but makes a system call each time and takes ten times as long.
extern "C" void emulator_switch_stacks(void** save, void* load);
asm(".text\n"
    ".type emulator_switch_stacks,@function\n"
    "emulator_switch_stacks:\n"
    "  push %rbp\n  push %rbx\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
    "  mov %rsp, (%rdi)\n"
    "  mov %rsi, %rsp\n"
    "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbx\n  pop %rbp\n"
    "  ret\n");

// A stack whose first switch enters `function`: six registers, then the address to return to.
inline void* fresh_stack(char* stack, void (*function)()) {
    auto top = reinterpret_cast<std::uintptr_t>(stack + stack_bytes) / 16 * 16;
    void** slot = reinterpret_cast<void**>(top) - 8;
    for (int i = 0; i < 8; ++i) slot[i] = nullptr;
    slot[6] = reinterpret_cast<void*>(function);
    return slot;
}
#else
#include <ucontext.h>

inline void emulator_switch_stacks(void** save, void* load) {
    ucontext_t here;
    *save = &here;
    swapcontext(&here, static_cast<ucontext_t*>(load));
}

// The context itself lies at the far end of the stack, which grows towards it from the top.
inline void* fresh_stack(char* stack, void (*function)()) {
    auto* context = reinterpret_cast<ucontext_t*>(stack);
    getcontext(context);
    context->uc_stack.ss_sp = stack + 2 * page_bytes;
    context->uc_stack.ss_size = stack_bytes - 2 * page_bytes;
    context->uc_link = nullptr;
    makecontext(context, function, 0);
    return context;
}
#endif

// Memory for a stack, below an inaccessible page. The tops are staggered, or all stacks' ends would share
// one set of the cache.
inline char* map_stack() {
    static unsigned made = 0;
    void* memory = mmap(nullptr, stack_bytes + 2 * page_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    mprotect(memory, page_bytes, PROT_NONE);
    return static_cast<char*>(memory) + page_bytes + made++ * 7 % 64 * 64;
}

}  // namespace emulator

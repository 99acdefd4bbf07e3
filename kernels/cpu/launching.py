"""The launch of a kernel's tasks on all threads, without Numba's parallel compiler.

`numba.njit(parallel=True)` would do with a loop over `prange(tasks)`. But to compile that one loop takes it
as long as to compile the kernel in it, a second or more. Here the loop is written as the machine code that it
becomes: a call of the function of Numba's thread pools (OpenMP's, TBB's or its own) that runs

    run(args, dimensions, steps, data)

for parts of a range of dimensions[0] items, on many threads at once. An item has an address in each of
`args`, `steps` bytes after the one before. Our `run` has two: where the kernel's arguments lie, which is the
same for all items, and the number of the task, as an address of which nobody reads what lies there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.ufunc import parallel as pools

INDEX, BYTE, STATUS = ir.IntType(64), ir.IntType(8), ir.IntType(32)
ADDRESS = BYTE.as_pointer()
RUN = ir.FunctionType(ir.VoidType(), [ADDRESS.as_pointer(), INDEX.as_pointer(), INDEX.as_pointer(), ADDRESS])


def start_threads() -> None:
    """Start Numba's pool of threads; compiled launches refer to its functions, and need it when they load."""
    pools._launch_threads()


def launcher_of(body: Any) -> Any:
    """Return the compiled function launch(tasks, *arguments) that runs body(task, tasks, *arguments).

    Raises, when called:
        RuntimeError: the body failed in one of its tasks, which have all been tried.
    """

    @intrinsic
    def run_all(typing_context: Any, tasks: Any, arguments: Any) -> Any:
        """Run every task."""
        given = (types.intp, types.intp, *arguments.types)
        signature = numba.typeof(body).get_call_type(typing_context, given, {})

        def emit(context: Any, builder: Any, _: Any, values: Any) -> Any:
            kernel = body.get_compile_result(signature)
            context.add_linking_libs([kernel.library])
            failed = cgutils.alloca_once_value(builder, STATUS(0))
            held = cgutils.pack_struct(builder, [*values, failed])
            place = cgutils.alloca_once_value(builder, held)
            run = _make_run(context, builder, place.type, kernel, signature)
            _call_pool(builder, values[0], run, builder.bitcast(place, ADDRESS))
            with cgutils.if_unlikely(builder, cgutils.is_not_null(builder, builder.load(failed))):
                message = "a kernel failed in one of its tasks"
                context.call_conv.return_user_exc(builder, RuntimeError, (message,))
            return context.get_dummy_value()

        return types.void(types.intp, arguments), emit

    def launch(tasks: int, *arguments: Any) -> None:
        run_all(tasks, arguments)

    def launch_uncompiled(tasks: int, *arguments: Any) -> None:
        for task in range(tasks):
            body(task, tasks, *arguments)

    if numba.config.DISABLE_JIT:
        return launch_uncompiled
    return numba.njit(launch, nogil=True, error_model="numpy")


def _make_run(context: Any, builder: Any, place_type: Any, kernel: Any, signature: Any) -> Any:
    """Define `run`: the body for the tasks of a part of the range."""
    run = ir.Function(builder.module, RUN, f"{builder.function.name}.run")
    run.linkage = "internal"
    code = ir.IRBuilder(run.append_basic_block("entry"))
    args, dimensions = run.args[:2]
    place = code.bitcast(code.load(args), place_type)
    tasks, arguments, failed = (code.load(cgutils.gep_inbounds(code, place, 0, i)) for i in range(3))
    values = cgutils.unpack_tuple(code, arguments)
    first = code.ptrtoint(code.load(cgutils.gep_inbounds(code, args, 1)), INDEX)
    with cgutils.for_range(code, code.load(dimensions)) as loop:
        task = code.add(first, loop.index)
        status, _ = context.call_internal_no_propagate(code, kernel.fndesc, signature, (task, tasks, *values))
        with cgutils.if_unlikely(code, status.is_error):
            code.store(STATUS(1), failed)
    code.ret_void()
    return run


def _call_pool(builder: Any, tasks: Any, run: Callable[..., Any], place: Any) -> None:
    """Hand the range of tasks to the pool, and wait."""
    function = ir.FunctionType(ir.VoidType(), [ADDRESS] * 5 + [INDEX] * 3)
    parallel_for = cgutils.get_or_insert_function(builder.module, function, "numba_parallel_for")
    asked = cgutils.get_or_insert_function(builder.module, ir.FunctionType(INDEX, []), "get_num_threads")
    first_task = builder.inttoptr(INDEX(0), ADDRESS)

    def stored(values: list[Any]) -> Any:
        return builder.bitcast(
            cgutils.alloca_once_value(builder, cgutils.pack_array(builder, values)), ADDRESS
        )

    builder.call(
        parallel_for,
        [
            builder.bitcast(run, ADDRESS),
            stored([place, first_task]),
            stored([tasks]),
            stored([INDEX(0), INDEX(1)]),
            ADDRESS(None),
            INDEX(0),  # dimensions within an item
            INDEX(2),  # addresses of an item
            builder.call(asked, []),
        ],
    )

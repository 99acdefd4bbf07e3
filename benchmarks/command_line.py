"""The commands of `python -m benchmarks`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="benchmarks",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Threads = Annotated[int | None, typer.Option(help="Threads for everyone; by default one per core.")]
Quick = Annotated[bool, typer.Option("--quick", help="Fewer rounds: a first look, kept apart.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Forget earlier rows instead of going on.")]
Again = Annotated[
    bool, typer.Option("--again", help="Measure rows of other sources again; those not asked for stay.")
]
Results = Annotated[Path | None, typer.Option(help="Folder of the results; by default one per machine.")]
Network = Annotated[str | None, typer.Option(help="Only this network.")]
Batch = Annotated[int | None, typer.Option(help="Only this batch size.")]


@app.command()
def shapes() -> None:
    """Record the layer shapes of all networks anew (shapes.csv)."""
    from benchmarks import shapes as table

    rows = []
    for network in (*table.NETWORKS, *table.ALSO):
        rows += table.record(network)
        typer.echo(f"{network}: {sum(row.network == network for row in rows)} rows")
    table.write(rows)


@app.command()
def kernels(
    operation: Annotated[str | None, typer.Option(help="Only this folder of kernels/, or contract.")] = None,
    network: Network = None,
    batch: Batch = None,
    backend: Annotated[str | None, typer.Option(help="Our backend; by default what fits best.")] = None,
    quick: Quick = False,
    threads: Threads = None,
    results: Results = None,
    fresh: Fresh = False,
    again: Again = False,
) -> None:
    """Race every kernel call of the networks, forward and backward, against PyTorch."""
    from benchmarks import cases, kernel_benchmark, session

    chosen = cases.select(operation, network, (batch,) if batch else (1, 8))
    run = session.start(threads, quick, results, fresh, again)
    store = run.open(f"kernels-{backend}" if backend else "kernels")
    peak = run.measure_peak(store)
    jobs = [
        session.Job(
            case.key,
            f"{case.operation} {case.label}",
            partial(kernel_benchmark.measure, case, backend, peak, run.effort),
        )
        for case in chosen
    ]
    raise typer.Exit(run.run(store, jobs))


@app.command()
def ladder(
    operation: Annotated[str, typer.Argument(help="A folder of kernels/ or a contract, e.g. conv2d.")],
    quick: Quick = False,
    threads: Threads = None,
    results: Results = None,
    fresh: Fresh = False,
) -> None:
    """Race every version of an operation, from the loops that define it to the fastest, on a few layers."""
    from benchmarks import kernel_benchmark, ladders, session

    chosen = ladders.cases_of(operation)
    run = session.start(threads, quick, results, fresh)
    store = run.open(f"ladder-{operation}")
    peak = run.measure_peak(store)
    jobs = [
        session.Job(
            case.key,
            f"{case.operation} {case.label}",
            partial(kernel_benchmark.measure, case, None, peak, run.effort, every_version=True),
        )
        for case in chosen
    ]
    raise typer.Exit(run.run(store, jobs))


@app.command()
def networks(
    network: Network = None,
    batch: Batch = None,
    quick: Quick = False,
    threads: Threads = None,
    results: Results = None,
    fresh: Fresh = False,
) -> None:
    """Race whole networks at inference against PyTorch eager, channels_last and ONNX Runtime."""
    from benchmarks import network_benchmark, session
    from benchmarks.shapes import NETWORKS

    run = session.start(threads, quick, results, fresh)
    store = run.open("networks")
    peak = run.measure_peak(store)
    jobs = [
        session.Job(
            f"{name} batch {batch or 1}",
            name,
            partial(network_benchmark.measure, name, batch or 1, peak, run.effort),
        )
        for name in ((network,) if network else NETWORKS)
    ]
    raise typer.Exit(run.run(store, jobs))


@app.command()
def training(
    network: Network = None,
    batch: Batch = None,
    quick: Quick = False,
    threads: Threads = None,
    results: Results = None,
    fresh: Fresh = False,
) -> None:
    """Race a training step, and compare the peak memory of ResNet-50's."""
    from benchmarks import session, training_benchmark, training_memory

    size = batch or training_benchmark.BATCH
    run = session.start(threads, quick, results, fresh)
    store = run.open("training")
    jobs = [
        session.Job(f"{name} batch {size}", name, partial(training_benchmark.measure, name, size, run.effort))
        for name in ((network,) if network else training_benchmark.NETWORKS)
    ]
    jobs += [
        session.Job(
            f"{name} batch {size} memory",
            f"{name} memory",
            partial(training_memory.measure, name, size, run.threads),
        )
        for name in ((network,) if network else ("resnet50",))
    ]
    raise typer.Exit(run.run(store, jobs))


@app.command()
def engine(
    quick: Quick = False, threads: Threads = None, results: Results = None, fresh: Fresh = False
) -> None:
    """Measure what the engine itself costs: a scalar addition, a LeNet-5 step on one image."""
    from benchmarks import engine_benchmark, session, training_benchmark

    run = session.start(threads, quick, results, fresh)
    store = run.open("engine")
    lenet5 = partial(training_benchmark.measure, "lenet5", 1, run.effort, with_channels_last=False)
    jobs = [
        session.Job(
            "scalar addition", "scalar addition", partial(engine_benchmark.measure_addition, run.effort)
        ),
        session.Job("lenet5 batch 1", "LeNet-5 training step", lenet5),
    ]
    raise typer.Exit(run.run(store, jobs))


@app.command()
def augmentation(
    quick: Quick = False, threads: Threads = None, results: Results = None, fresh: Fresh = False
) -> None:
    """Measure what augmentation in the loader's threads costs a ResNet-18 training step."""
    from benchmarks import augmentation_benchmark, session

    run = session.start(threads, quick, results, fresh)
    store = run.open("augmentation")
    job = session.Job("resnet18 batch 8", "augmentation", partial(augmentation_benchmark.measure, run.effort))
    raise typer.Exit(run.run(store, [job]))


@app.command()
def gpu(
    operation: Annotated[str | None, typer.Option(help="Only this folder of kernels/, or contract.")] = None,
    network: Network = None,
    batch: Batch = None,
    quick: Quick = False,
    threads: Threads = None,
    results: Results = None,
    fresh: Fresh = False,
) -> None:
    """Race the CUDA kernels against PyTorch and cuDNN on a GPU, and say which aims are reached."""
    from benchmarks import gpu_benchmark, gpu_machine, gpu_targets, gpu_training, session
    from benchmarks.report import aims
    from benchmarks.results import FOLDER, Store
    from kernels.device import GPU

    batch = batch or gpu_benchmark.BATCH
    chosen = gpu_benchmark.select(operation, network, batch)
    card = gpu_machine.require()
    run = session.start(threads, quick, results or FOLDER / gpu_machine.slug(card["name"]), fresh)

    def open_store(benchmark: str) -> Store:
        header = gpu_machine.header(benchmark, card, run.threads, quick)
        return Store.open(run.folder / f"{benchmark}.json", header, fresh)

    store = open_store(gpu_targets.BENCHMARK)
    clock, peak = gpu_machine.prepare(store.header, card)
    jobs = [
        session.Job(
            case.key,
            f"{case.operation} {case.label}",
            partial(gpu_benchmark.measure, case, GPU, clock, peak, run.effort),
        )
        for case in chosen
    ]
    status = run.run(store, jobs)
    if operation is None and not status:
        trained = network or gpu_training.NETWORK
        step = partial(gpu_training.measure, trained, batch, GPU, clock, run.effort)
        job = session.Job(f"{trained} batch {batch}", f"{trained}'s training step", step)
        status = run.run(open_store(gpu_targets.TRAINING), [job])
    for line in aims(run.folder, gpu_targets.TARGETS):
        typer.echo(line)
    raise typer.Exit(status)


@app.command()
def report(threads: Threads = None, results: Results = None) -> None:
    """Write the page, the pictures and the summary from stored results, and say which aims are reached."""
    from benchmarks import machine
    from benchmarks import report as page
    from benchmarks.results import FOLDER
    from benchmarks.threads import available

    folder = results or FOLDER / machine.slug(threads or available())
    for line in (*page.aims(folder), *page.write(folder)):
        typer.echo(line)


@app.command()
def choices(threads: Threads = None, results: Results = None) -> None:
    """Write from stored results which versions the default chooses, and how the rules' numbers were found."""
    from benchmarks import choices as table
    from benchmarks import machine
    from benchmarks.results import FOLDER
    from benchmarks.threads import available

    for path in table.write(results or FOLDER / machine.slug(threads or available())):
        typer.echo(path)


@app.command()
def race(
    kernel: Annotated[Path, typer.Argument(help="A file that announces a version with kernels.implements.")],
    quick: Quick = False,
    threads: Threads = None,
) -> None:
    """Check a kernel of your own on its contract's samples, then race it against PyTorch and our ladder."""
    from benchmarks import machine, race_course, session

    run = session.start(threads, quick, None, fresh=True)
    raise typer.Exit(race_course.run(kernel, run, machine.measure_peak()))


def main() -> None:
    """Run: exit status 0, 1 if a row was refused, 2 for a user's mistake (one line), 130 after Ctrl-C."""
    try:
        app(prog_name="python -m benchmarks")
    except (ValueError, TypeError, OSError, ImportError) as error:
        print(f"benchmarks: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("benchmarks: interrupted", file=sys.stderr)
        sys.exit(130)

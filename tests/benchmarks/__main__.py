"""Every benchmark, one after the other, as markdown; on a machine that does nothing else, about ten minutes.

uv run -m tests.benchmarks
"""

from tests.benchmarks import (
    benchmark_annotate,
    benchmark_build,
    benchmark_front_end,
    benchmark_inference,
    benchmark_processes,
    benchmark_streaming,
    benchmark_training,
)


def main() -> None:
    for benchmark in (
        benchmark_inference,
        benchmark_front_end,
        benchmark_training,
        benchmark_processes,
        benchmark_build,
        benchmark_annotate,
        benchmark_streaming,
    ):
        print(f"## {benchmark.__doc__.splitlines()[0]}\n", flush=True)
        benchmark.main()


if __name__ == "__main__":
    main()

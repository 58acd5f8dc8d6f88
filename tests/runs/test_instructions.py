"""Narrower instructions than the processor has: the kernels and the class of another processor."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from bench.errors import EnvironmentFault, UsageError
from bench.instructions import limited
from bench.runs import provenance, replay

STEERING = (
    "OPENBLAS_CORETYPE",
    "ATEN_CPU_CAPABILITY",
    "MKL_ENABLE_INSTRUCTIONS",
    "ONEDNN_MAX_CPU_ISA",
    "NPY_DISABLE_CPU_FEATURES",
)
HAS_AVX2 = "avx2" in provenance.cpu()["id"].split()


def forget():
    provenance.cpu.cache_clear()
    provenance.machine.cache_clear()


@pytest.fixture
def processor(monkeypatch):
    """Make this process believe that it runs on a processor of the class given."""

    def pretend(level):
        flags = {
            "base": "sse2",
            "avx2": "sse2 avx2 fma",
            "avx512": "sse2 avx2 fma avx512f avx512bw avx512vl avx512dq",
        }[level]
        text = f"vendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nflags\t\t: {flags}\n"
        monkeypatch.setattr(provenance, "_cpuinfo", lambda: text)
        monkeypatch.setattr("platform.machine", lambda: "x86_64")
        forget()

    for name in STEERING:
        monkeypatch.setenv(name, "")  # so that what the limit sets is undone
        monkeypatch.delenv(name)
    yield pretend
    monkeypatch.undo()
    forget()


def test_nothing_is_set_where_nothing_is_asked():
    environ = {"OPENBLAS_CORETYPE": "SkylakeX", "BENCH_INSTRUCTIONS": ""}
    assert limited(environ) is None
    assert environ == {"OPENBLAS_CORETYPE": "SkylakeX", "BENCH_INSTRUCTIONS": ""}


def test_the_limit_sets_one_variable_a_library_and_may_be_set_twice():
    environ = {"BENCH_INSTRUCTIONS": "avx2"}
    assert limited(environ) == limited(environ) == "avx2"
    assert set(environ) == {"BENCH_INSTRUCTIONS", *STEERING}


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"BENCH_INSTRUCTIONS": "avx512"}, "BENCH_INSTRUCTIONS is 'avx512'; give 'avx2'"),
        (
            {"BENCH_INSTRUCTIONS": "avx2", "OPENBLAS_CORETYPE": "SkylakeX"},
            "sets OPENBLAS_CORETYPE to 'Haswell', and it is 'SkylakeX'; unset one of the two",
        ),
    ],
)
def test_an_unknown_limit_and_one_that_another_variable_contradicts_are_refused(environ, said):
    with pytest.raises(UsageError, match=said):
        limited(environ)


def test_a_limited_processor_is_of_the_narrower_class_and_says_where_its_seconds_come_from(
    processor, monkeypatch
):
    processor("avx512")
    assert "limited_from" not in provenance.machine()
    assert provenance.cpu()["class"] == "x86_64-AuthenticAMD-avx512"
    monkeypatch.setenv("BENCH_INSTRUCTIONS", "avx2")
    processor("avx512")
    assert provenance.cpu()["class"] == "x86_64-AuthenticAMD-avx2"
    assert provenance.machine()["limited_from"] == "x86_64-AuthenticAMD-avx512"
    processor("avx2")  # what it has anyway is no limit
    assert "limited_from" not in provenance.machine()


def test_a_processor_without_the_instructions_is_refused(processor, monkeypatch):
    monkeypatch.setenv("BENCH_INSTRUCTIONS", "avx2")
    processor("base")
    with pytest.raises(EnvironmentFault, match="which this processor does not have; unset it"):
        provenance.cpu()


def test_a_record_of_a_narrower_class_is_met_with_the_variable_that_repeats_it(processor):
    processor("avx512")
    assert "set BENCH_INSTRUCTIONS=avx2" in replay._hint({"cpu_class": "x86_64-AuthenticAMD-avx2"})
    assert not replay._hint({"cpu_class": "x86_64-GenuineIntel-avx2"})  # other bits, by MKL
    processor("avx2")
    assert not replay._hint({"cpu_class": "x86_64-AuthenticAMD-avx512"})


@pytest.mark.skipif(not HAS_AVX2, reason="the processor has no AVX2")
def test_the_command_computes_with_the_kernels_of_avx2(tmp_path):
    environ = {name: value for name, value in os.environ.items() if name not in STEERING}
    program = (
        "import json, sys\n"
        "sys.argv = ['bench', '--help']\n"
        "from bench.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "from bench.runs import provenance\n"
        "print(json.dumps([provenance.cpu()['class'], provenance.kernels_here()]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environ | {"BENCH_INSTRUCTIONS": "avx2", "BENCH_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    found, kernels = json.loads(done.stdout.splitlines()[-1])
    assert found.endswith("-avx2")
    assert kernels["torch"] == "AVX2"
    assert kernels["onednn"].endswith("AVX2")
    assert kernels["numpy_blas"].endswith("Haswell")
    assert "V4" not in kernels["numpy_simd"]
    assert "AVX512" not in kernels["numpy_simd"]

"""Which kernels compute: part of the key, asked once in a process of its own, and said in words."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from other_kernels import other

from bench.errors import EnvironmentFault
from bench.runs import kernels, provenance


@pytest.fixture(autouse=True)
def forgotten():
    """Forget what this process knows, so that the cache folder is read."""
    kernels._asked.cache_clear()
    yield
    kernels._asked.cache_clear()


@pytest.fixture
def counted(monkeypatch, tmp_path):
    """A cache folder of its own, and a list that grows with each question
    that is really asked; the answer is that of the real probe.
    """
    answer = {"kernels": provenance.kernels_here(), "files": {}}
    kernels._asked.cache_clear()
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    asked = []

    def probe():
        asked.append(dict(os.environ))
        return json.loads(json.dumps(answer))

    monkeypatch.setattr(kernels, "_probe", probe)
    return asked


def test_a_setting_that_chooses_other_kernels_is_another_answer_and_one_that_chooses_the_same_is_not(
    monkeypatch,
):
    here = provenance.kernels_here()
    with monkeypatch.context() as patch:
        for name, value in other(here, provenance.cpu()["id"]).items():
            patch.setenv(name, value)
        there = provenance.kernels_here()
    assert {
        "numpy_blas",
        "scipy_blas",
        *(["torch"] if here["torch"].startswith("AVX") else []),
    } <= {name for name in here if here[name] != there.get(name)}
    monkeypatch.setenv("OPENBLAS_CORETYPE", here["numpy_blas"].split()[-1])
    assert provenance.kernels_here() == here


@pytest.mark.parametrize(
    ("blas", "torch", "flags", "chosen"),
    [
        ("SkylakeX", "AVX512", "sse2 avx2 avx512vl", "Haswell avx2"),
        ("Haswell", "AVX512", "sse2 avx2 avx512vl", "SkylakeX avx2"),
        ("Haswell", "AVX2", "sse2 avx2", "Nehalem default"),
        ("Nehalem", "DEFAULT", "sse2", "Core2 default"),
        ("neoversen1", "DEFAULT", "asimd", "ARMV8 default"),
    ],
)
def test_the_tests_run_once_more_under_kernels_that_are_not_the_machine_s_own(
    blas, torch, flags, chosen
):
    assert (
        " ".join(other({"numpy_blas": f"openblas 0.3.31 {blas}", "torch": torch}, flags).values())
        == chosen
    )


def test_the_answer_is_what_the_libraries_of_a_run_say_and_asking_loads_none_of_them():
    """The libraries are asked in a process of its own, as a run is one."""
    code = (
        "import json, sys; from bench.runs import provenance; "
        "print(json.dumps([provenance.kernels_here(), sorted({'numpy', 'torch', 'scipy'} & "
        "set(sys.modules))]))"
    )
    said, loaded = json.loads(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
    )
    import torch
    from threadpoolctl import threadpool_info

    assert loaded == []
    assert said["torch"].split()[0] == torch.backends.cpu.get_cpu_capability()
    mine = {
        entry["architecture"] for entry in threadpool_info() if entry["internal_api"] == "openblas"
    }
    assert mine <= {word for name in ("numpy_blas", "scipy_blas") for word in said[name].split()}


def test_it_is_asked_once_for_a_machine_its_libraries_and_its_variables(counted, monkeypatch):
    for _ in range(2):
        kernels._asked.cache_clear()
        provenance.kernels_here()
    assert len(counted) == 1
    monkeypatch.setenv("OPENBLAS_CORETYPE", "one that nobody asked for yet")
    provenance.kernels_here()
    assert len(counted) == 2
    kernels.kernels({"numpy": "0", "scipy": "0", "torch": "0"}, "p")
    kernels.kernels({"numpy": "0", "scipy": "0", "torch": "0"}, "q")
    assert len(counted) == 4


def test_a_library_that_was_replaced_behind_the_cache_is_asked_again(
    counted, tmp_path, monkeypatch
):
    library = tmp_path / "libblas.so"
    library.write_bytes(b"one")
    found = {"kernels": {"numpy_blas": "one"}, "files": {str(library): kernels.stamp(str(library))}}
    monkeypatch.setattr(kernels, "_probe", lambda: found)
    assert provenance.kernels_here()["numpy_blas"] == "one"
    library.write_bytes(b"another")
    found = {"kernels": {"numpy_blas": "two"}, "files": {str(library): kernels.stamp(str(library))}}
    kernels._asked.cache_clear()
    assert provenance.kernels_here()["numpy_blas"] == "two"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"files": 3, "kernels": {}}',
        b'{"files": {}, "kernels": []}',
        b'{"files": {"/gone": [1, 2]}, "kernels": {}}',
    ],
)
def test_a_damaged_answer_in_the_cache_is_asked_again(counted, tmp_path, content):
    first = provenance.kernels_here()
    (file,) = (tmp_path / "cache" / "kernels").iterdir()
    file.write_bytes(content)
    kernels._asked.cache_clear()
    assert provenance.kernels_here() == first
    assert len(counted) == 2


def test_where_the_cache_can_not_be_written_it_is_asked_each_time(counted, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "file"))
    first = provenance.kernels_here()
    kernels._asked.cache_clear()
    assert provenance.kernels_here() == first
    assert len(counted) == 2


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("OPENBLAS_UNKNOWN_SETTING", "1", "1"),
        ("MKL_DEBUG_CPU_TYPE", "5", "5"),
        ("LD_PRELOAD", "/lib/libfakeintel.so", "/lib/libfakeintel.so"),
        ("GLIBC_TUNABLES", "glibc.malloc.check=1:glibc.cpu.hwcaps=-FMA", "glibc.cpu.hwcaps=-FMA"),
        ("GLIBC_TUNABLES", "glibc.malloc.check=1", None),
        ("OPENBLAS_NUM_THREADS", "8", None),
        ("MKL_VERBOSE", "1", None),
        ("ONEDNN_JIT_DUMP", "1", None),
        ("OPENBLAS_UNKNOWN_SETTING", "", None),
        ("UNRELATED", "1", None),
    ],
)
def test_a_variable_whose_effect_can_not_be_asked_is_part_of_the_answer_by_its_name(
    counted, monkeypatch, name, value, kept
):
    monkeypatch.setenv(name, value)
    assert provenance.kernels_here().get(name) == kept


def test_what_steers_a_gpu_alone_counts_for_runs_on_it(counted, monkeypatch):
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    assert [
        provenance.kernels_here(device).get("NVIDIA_TF32_OVERRIDE") for device in ("cpu", "cuda")
    ] == [None, "1"]


def test_mkl_and_onednn_are_read_without_what_changes_by_itself():
    lines = (
        "MKL_VERBOSE oneMKL 2024.0 Update 2 Product build 20240605 for Intel(R) 64 architecture "
        "Intel(R) AVX2 enabled processors, Lnx 2.60GHz lp64 gnu_thread",
        "MKL_VERBOSE SGEMM(N,N,64,64,64,0x7fff,0x563d,64,0x563d,64,0x7ff,0x56,64) 199.77us "
        "CNR:OFF Dyn:0 FastMM:1 TID:0  NThr:1",
        "onednn_verbose,v1,info,oneDNN v3.12.0 (commit 80afa71049cd69a3df32adcccb623b12cd7baa22)",
        "onednn_verbose,v1,info,cpu,isa:Intel AVX2",
        "onednn_verbose,v1,primitive,exec,cpu,convolution,jit:avx2,forward_training,x,attr-scratchpad:user "
        "attr-fpmath:bf16,y,0.0678711",
        "words of a library",
    )
    found = kernels.told_by(lines)
    assert found["mkl"] == (
        "oneMKL 2024.0 Update 2 Product build 20240605 for Intel(R) 64 architecture "
        "Intel(R) AVX2 enabled processors CNR:OFF"
    )
    assert found["onednn"] == "v3.12.0 Intel AVX2 attr-fpmath:bf16"
    assert kernels.told_by(lines[-1:]) == {}


def test_changed_kernels_are_said_in_words():
    then, now = (
        {"numpy_blas": "openblas 0.3.31 Haswell", "libc": "glibc 2.36"},
        {"numpy_blas": "openblas 0.3.31 SkylakeX", "libc": "glibc 2.36", "LD_PRELOAD": "/a.so"},
    )
    assert kernels.differences(then, now) == [
        "the variable LD_PRELOAD was not set, is /a.so",
        "the BLAS kernel of NumPy was openblas 0.3.31 Haswell, is openblas 0.3.31 SkylakeX",
    ]
    assert kernels.differences(now, now) == []
    assert kernels.differences(None, now) == [
        "the kernels of NumPy, SciPy and torch that computed it are not recorded"
    ]


def test_libraries_that_can_not_be_loaded_are_one_sentence(monkeypatch, tmp_path):
    (tmp_path / "scipy").mkdir()
    (tmp_path / "scipy" / "__init__.py").write_text("raise ImportError('libgfortran is missing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("OPENBLAS_UNKNOWN_SETTING", "no answer is kept for it")
    with pytest.raises(
        EnvironmentFault,
        match=r"could not be asked for their kernels \(ImportError: libgfortran is missing\); "
        r"install datacentric-bench again",
    ):
        provenance.kernels_here()

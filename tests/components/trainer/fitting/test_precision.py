"""Whether a training multiplies in bf16 goes by the CPU's flags."""

import pytest

from components.trainer.fitting import precision


@pytest.fixture
def cpu(tmp_path, monkeypatch):
    """`cpu(flags)`: the machine has a CPU of these flags; None: nobody says which it has."""

    def set_flags(flags: str | None) -> None:
        file = tmp_path / "cpuinfo"
        if flags is not None:
            file.write_text(f"processor\t: 0\nflags\t\t: fpu {flags} sse\nbugs\t\t:\n")
        monkeypatch.setattr(precision, "_CPU", file)

    return set_flags


@pytest.mark.parametrize(
    ("flags", "auto"),
    [
        ("avx512_bf16", "bf16"),
        ("avx2 amx_bf16 amx_tile", "bf16"),
        ("avx512f avx512_fp16", "float32"),
        (None, "float32"),
    ],
)
def test_auto_goes_by_the_flags_and_float32_stays(cpu, flags, auto):
    cpu(flags)
    assert precision.resolve("auto") == auto
    assert precision.resolve("float32") == "float32"


def test_bf16_where_there_is_none_says_what_to_set(cpu):
    cpu("avx2")
    with pytest.raises(ValueError, match=r"training\.precision is `bf16`, .* amx_bf16.* `auto`"):
        precision.resolve("bf16")
    cpu("avx512_bf16")
    assert precision.resolve("bf16") == "bf16"


def test_flags_that_cannot_be_read_are_none(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "_CPU", tmp_path)  # a folder, as good as a file of others
    assert precision.resolve("auto") == "float32"


def test_a_cpu_that_has_no_flags_has_no_bf16(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nFeatures\t: fp asimd\n")
    monkeypatch.setattr(precision, "_CPU", tmp_path / "cpuinfo")
    assert precision.resolve("auto") == "float32"

"""Files of an earlier attempt, with every byte of them wrong in turn."""

import io

import numpy as np
import pytest

from components.trainer.kept_files import read_array, read_arrays

ARRAY = np.arange(3, dtype=np.int8)


def kept(write) -> bytes:
    file = io.BytesIO()
    write(file, ARRAY)
    return file.getvalue()


@pytest.mark.parametrize(
    ("write", "read", "name"),
    [(np.save, read_array, "labels.npy"), (np.savez, read_arrays, "state.npz")],
    ids=["npy", "npz"],
)
def test_a_file_is_read_or_removed_whichever_byte_is_wrong(write, read, name, tmp_path, caplog):
    path, good = tmp_path / name, kept(write)
    spoilt = [good[:end] for end in range(0, len(good), 7)]
    for place, byte in enumerate(good):
        spoilt += [
            good[:place] + bytes([wrong]) + good[place + 1 :] for wrong in {0, byte ^ 0xFF} - {byte}
        ]
    removed = 0
    for content in spoilt:
        path.write_bytes(content)
        assert (read(path) is None) == (not path.exists())
        removed += not path.exists()
    assert removed == len(caplog.records) > 100
    assert all(f"{path} is damaged" in record.getMessage() for record in caplog.records)


def test_what_is_there_is_read_and_what_is_not_is_none(tmp_path):
    path = tmp_path / "kept"
    assert read_array(path) is None and read_arrays(path) is None
    path.write_bytes(kept(np.save))
    np.testing.assert_array_equal(read_array(path), ARRAY)
    path.write_bytes(kept(np.savez))
    (array,) = read_arrays(path).values()
    np.testing.assert_array_equal(array, ARRAY)


class Program:
    """What a pickle may hold: unpickled, it is run."""

    ran = False

    def __reduce__(self):
        return setattr, (Program, "ran", True)


@pytest.mark.parametrize(
    ("write", "read"), [(np.save, read_array), (np.savez, read_arrays)], ids=["npy", "npz"]
)
def test_a_pickle_is_removed_and_not_run(write, read, tmp_path, caplog):
    path = tmp_path / "kept"
    file = io.BytesIO()
    write(file, np.array([Program()], object))
    path.write_bytes(file.getvalue())
    assert read(path) is None and not path.exists() and not Program.ran
    assert f"{path} is damaged (Object arrays cannot be loaded" in caplog.text

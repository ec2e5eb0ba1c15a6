"""Which files a folder holds, and what became of them."""

from pathlib import Path

import pytest

from components.manifests import file_sizes, find_damage

pytestmark = pytest.mark.one_line


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "variables" / "data").write_bytes(b"w" * 1000)
    return tmp_path


def test_a_folder_is_whole_also_with_more_files_in_it(folder):
    sizes = file_sizes(folder)
    assert sizes == {"saved_model.pb": 5, "variables/data": 1000}
    (folder / "more").touch()
    assert find_damage(folder, sizes) == ""


@pytest.mark.parametrize("size", [999, 1001])
def test_another_size_is_damage(folder, size):
    sizes = file_sizes(folder)
    (folder / "variables" / "data").write_bytes(b"w" * size)
    assert find_damage(folder, sizes) == f"variables/data has {size:,} bytes, not 1,000"


def test_a_missing_file_is_damage(folder):
    sizes = file_sizes(folder)
    (folder / "saved_model.pb").unlink()
    assert find_damage(folder, sizes) == "saved_model.pb is missing"
    assert find_damage(folder / "nowhere", sizes) == "saved_model.pb is missing"
    (folder / "saved_model.pb").mkdir()
    assert find_damage(folder, sizes) == "saved_model.pb is missing"


def test_of_several_the_first_by_name_is_told_however_the_folder_lists_them(folder, monkeypatch):
    listed = Path.rglob
    monkeypatch.setattr(Path, "rglob", lambda *given: sorted(listed(*given), reverse=True))
    sizes = file_sizes(folder)
    for name in sizes:
        (folder / name).write_bytes(b"")
    assert find_damage(folder, sizes) == "saved_model.pb has 0 bytes, not 5"

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from index.errors import InputError
from index.find import Source, find
from index.load import Rejected, read
from index.passage import Document

TEXT = "The harbour grew by 5 percent.\n"


def ids(*paths: Path) -> list[str]:
    return [source.doc_id for source in find(paths)]


def write(path: Path, data: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data, "utf-8")
    return path


def test_ids_are_paths_below_the_folder_in_order(tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.md", "a/b/c.txt", "a.txt", ".hidden.txt", ".git/x.txt", "a/.b/y.txt", "no_suffix"):
        write(tmp_path / "in" / name, TEXT)
    assert ids(tmp_path / "in") == ["a.txt", "a/b/c.txt", "a/z.md", "b.txt", "no_suffix"]
    assert ids(tmp_path / "in" / "a.txt") == ["a.txt"]
    write(tmp_path / "other" / "a.txt", TEXT)
    expected = ["in/a.txt", "in/a/b/c.txt", "in/a/z.md", "in/b.txt", "in/no_suffix", "other/a.txt"]
    assert ids(tmp_path / "in", tmp_path / "other") == expected
    assert ids(tmp_path / "in" / "b.txt", tmp_path / "other") == ["b.txt", "other/a.txt"]


def test_find_in_an_empty_folder(tmp_path: Path) -> None:
    assert find([tmp_path]) == []


@pytest.mark.parametrize("name", ["missing", "bad\0name"])
def test_a_path_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"was given .* cannot be read .*: check the path"):
        find([tmp_path / name])
    with pytest.raises(InputError, match="No path"):
        find([])


def test_two_files_with_one_id(tmp_path: Path) -> None:
    for folder in ("x/in", "y/in"):
        write(tmp_path / folder / "a.txt", TEXT)
    with pytest.raises(InputError, match=r"would both get the document id 'in/a.txt'"):
        find([tmp_path / "x/in", tmp_path / "y/in"])


def test_paths_within_one_another(tmp_path: Path) -> None:
    inner = write(tmp_path / "news" / "sub" / "a.txt", TEXT)
    write(tmp_path / "news" / "b.txt", TEXT)
    news, sub = tmp_path / "news", tmp_path / "news" / "sub"
    for paths, expected in (
        ([news, sub], ["news/b.txt", "news/sub/a.txt"]),
        ([sub, news], ["news/b.txt", "sub/a.txt"]),
        ([inner, news], ["a.txt", "news/b.txt"]),
        ([news, inner, news], ["news/b.txt", "news/sub/a.txt"]),
    ):
        assert [source.doc_id for source in find(paths)] == expected


def test_links_are_followed_inside_the_folder_only_and_nothing_is_met_twice(tmp_path: Path) -> None:
    root = tmp_path / "in"
    write(root / "a" / "one.txt", TEXT)
    write(root / ".store" / "two.txt", TEXT)
    write(tmp_path / "outside" / "three.txt", TEXT)
    (root / "a" / "loop").symlink_to(root)
    (root / "again.txt").symlink_to(root / "a" / "one.txt")
    (root / "b").symlink_to(root / ".store")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "out.txt").symlink_to(tmp_path / "outside" / "three.txt")
    (root / "broken.txt").symlink_to(root / "nowhere")
    (root / "self.txt").symlink_to(root / "self.txt")
    (tmp_path / "way").symlink_to(root)
    for way in (root, tmp_path / "way"):
        sources = find([way])
        assert [source.doc_id for source in sources if not source.refused] == ["a/one.txt", "b/two.txt", "self.txt"]
        assert {source.doc_id: source.refused for source in sources if source.refused} == {
            **dict.fromkeys(("out", "out.txt"), "a link that leads out of the folder given"),
            "broken.txt": "a link to nothing",
        }
        found = {source.doc_id: read(source)[0] for source in sources}
        assert found["broken.txt"] == Rejected("broken.txt", "a link to nothing", "skipped")
        assert found["self.txt"] == Rejected("self.txt", "cannot be read (too many levels of symbolic links)", "failed")
    assert ids(tmp_path / "outside" / "three.txt") == ["three.txt"]


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    try:
        Path(os.fsdecode(path)).write_text(TEXT)
    except OSError:
        pytest.skip("this file system takes no such names")
    (source,) = find([tmp_path])
    assert source.doc_id == "caf\\xe9.txt"
    assert isinstance(read(source)[0], Document)


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (source,) = find([tmp_path])
    assert read(source) == [Rejected("pipe.txt", "not a regular file", "skipped")]
    assert read(Source(Path("/dev/zero"), "zero.txt")) == [Rejected("zero.txt", "not a regular file", "skipped")]


def test_files_and_folders_without_permission() -> None:
    # A process of its own gives up the superuser's rights, if it has them, once all is imported.
    code = (
        "import os, sys; from pathlib import Path; from index.find import find; from index.load import read\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "for source in find([Path(sys.argv[1])]):\n"
        "    (entry,) = read(source); print(entry.path, entry.kind, entry.reason, sep='|')"
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        write(Path(folder, "closed.txt"), TEXT).chmod(0)
        write(Path(folder, "shut", "a.txt"), TEXT)
        Path(folder, "shut").chmod(0)
        run = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=False)
        Path(folder, "shut").chmod(0o700)
    assert run.stdout.splitlines() == [
        "closed.txt|failed|cannot be read (permission denied)",
        "shut|failed|the folder cannot be listed",
    ], run.stderr

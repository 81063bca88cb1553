"""Lists of files to fetch, our own and the user's."""

from pathlib import Path

import pytest

from glic_pyg.data.fetch_list import Remote, open_list, shipped_lists
from glic_pyg.errors import DataError

SHA = "0123456789abcdef" * 4


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", shipped_lists())
def test_shipped_lists_say_what_they_are(name: str) -> None:
    listed = open_list(name)
    about = " ".join(listed.about)
    assert "Home: https://" in about and "Checksum" in about
    assert all(file.url.startswith("https://") for file in listed.files)
    if "no SHA-256 is published" not in about and "none is published" not in about:
        assert all(file.sha256 and file.size for file in listed.files)


def test_known_sets_are_there() -> None:
    assert {"kodak", "clic", "tecnick", "flickr2w"} <= set(shipped_lists())
    assert [file.name for file in open_list("kodak").files] == [f"kodim{n:02}.png" for n in range(1, 25)]


def test_a_list_of_ones_own(tmp_path: Path) -> None:
    text = (
        f'# mine\nurl, sha256, name\n\nhttps://a.b/x%20y.png,,\n"http://a.b/?a=1,2",{SHA.upper()},sub/z.png\n'
    )
    listed = open_list(written(tmp_path, text))
    assert listed.about == ("mine",)
    assert listed.files == (
        Remote("https://a.b/x%20y.png", "x y.png"),
        Remote("http://a.b/?a=1,2", "sub/z.png", SHA),
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "must name its columns first: url"),
        ("https://a.b/c.png\n", "must name its columns first"),
        ("url,md5\n", "must name its columns first"),
        ("url\n", "names no files"),
        ("url\n# more\nfile:///etc/passwd\n", "line 3: 'file:///etc/passwd' is no http or https address"),
        ("url\nhttps://a.b/\n", "line 2: '' is no name for a file below the folder"),
        ("url,name\nhttps://a.b/c,../c\n", "'../c' is no name"),
        ("url,name\nhttps://a.b/c,/etc/c\n", "'/etc/c' is no name"),
        ("url,name\nhttps://a.b/c,.glic-data.json\n", "is no name"),
        ("url,sha256\nhttps://a.b/c,abc\n", "'abc' is no SHA-256 checksum"),
        ("url,bytes\nhttps://a.b/c,1k\n", "'1k' is no number of bytes"),
        ("url\nhttps://a.b/c\nhttps://b.b/c\n", "names c twice"),
        ("url,name\nhttps://a.b/c,x/c\nhttps://a.b/d,x//c\n", "names x/c twice"),
        ("url,bytes\nhttps://a.b/c,١٢\n", "'١٢' is no number of bytes"),
        ("url,bytes\nhttps://a.b/c," + "9" * 5000 + "\n", "is no number of bytes"),
        ("url,name\nhttps://a.b/c,a\x1b[2Jb\n", "is no name"),
        ("url,name\nhttps://a.b/c,a\x00b\n", "is no name|line 2: this is no line of a CSV file"),
        ('url,name\nhttps://a.b/c,"two\nlines"\n', "line 2: this is no line of a CSV file"),
        ('url\nhttps://a.b/"c\n"https://a.b/d"x\n', "line 3: this is no line of a CSV file"),
        ("url\nhttp://[::1/c\n", "line 2: "),
        ("url\nhttps://a.b/" + "c" * 200_000 + "\n", "line 2: this is no line of a CSV file"),
    ],
)
def test_lists_that_make_no_sense(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        open_list(written(tmp_path, text))
    said = str(caught.value)
    assert any(part in said for part in sentence.split("|")) and "\n" not in said


def test_what_is_far_too_large_for_a_list_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "video.mp4").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(DataError, match=r"not a list of files: .* far too large"):
        open_list(str(tmp_path / "video.mp4"))


def test_no_such_list(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no list kodac; did you mean kodak\?"):
        open_list("kodac")
    with pytest.raises(DataError, match="give a file, or one of clic"):
        open_list(str(tmp_path / "x.csv"))
    (tmp_path / "image.png").write_bytes(b"\x89PNG\xff")
    with pytest.raises(DataError, match="no text in UTF-8"):
        open_list(str(tmp_path / "image.png"))

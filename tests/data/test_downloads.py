"""Downloads against a real local server, and archives that mean harm."""

import functools
import hashlib
import http.server
import stat
import threading
import zipfile
from dataclasses import replace

import pytest

from lightbox.base.errors import DataError
from lightbox.data import downloads
from lightbox.data.cards import card
from lightbox.data.dataset import open_dataset


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("LIGHTBOX_HOME", str(folder))
    return folder


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; the first answers may be cut short or wrong."""

    failures = 0
    requests = 0

    def log_message(self, *_):
        """Say nothing."""

    def do_GET(self):
        type(self).requests += 1
        if type(self).failures > 0:
            type(self).failures -= 1
            self.send_response(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"oops")
            return
        super().do_GET()


@pytest.fixture
def server(tmp_path):
    """(address, folder, handler) of a server on this machine."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = type("Handler", (Quiet,), {})
    serve = functools.partial(handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", folder, handler
        running.shutdown()
        thread.join()


def make_zip(path, members):
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return path


def pinned(server, name):
    address, folder, _ = server
    checksum = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    return f"{address}/{name}", f"sha256:{checksum}"


def with_url(server, name):
    url, checksum = pinned(server, name)
    known = card("histology")
    recipe = replace(known.recipe, url=url, checksum=checksum, files=(name,))
    return replace(known, recipe=recipe)


def test_download_and_extraction(server, tmp_path):
    make_zip(server[1] / "set.zip", {"wrap/01_TUMOR/1.tif": "x", "wrap/02_STROMA/": ""})
    folder = downloads.obtain(with_url(server, "set.zip"), tmp_path / "data" / "set")
    assert (folder / "wrap" / "01_TUMOR" / "1.tif").read_text() == "x"
    assert (tmp_path / "data" / "downloads" / "set.zip").exists()


def test_an_intact_file_is_not_fetched_again(server, tmp_path):
    (server[1] / "x.bin").write_bytes(b"1234")
    url, checksum = pinned(server, "x.bin")
    for _ in range(2):
        downloads.fetch(url, checksum, tmp_path / "x.bin")
    assert server[2].requests == 1
    (tmp_path / "x.bin").write_bytes(b"12")  # half of it
    downloads.fetch(url, checksum, tmp_path / "x.bin")
    assert (tmp_path / "x.bin").read_bytes() == b"1234"


def test_a_damaged_answer_is_retried(server, tmp_path):
    (server[1] / "x.bin").write_bytes(b"1234")
    server[2].failures = 1
    url, checksum = pinned(server, "x.bin")
    downloads.fetch(url, checksum, tmp_path / "x.bin")
    assert server[2].requests == 2
    assert (tmp_path / "x.bin").read_bytes() == b"1234"


def test_wrong_content_is_refused_and_not_kept(server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "RETRIES", 0)
    (server[1] / "x.bin").write_bytes(b"1234")
    url, _ = pinned(server, "x.bin")
    with pytest.raises(DataError, match="its checksum is wrong"):
        downloads.fetch(url, f"sha256:{'0' * 64}", tmp_path / "x.bin")
    assert list(tmp_path.glob("*.bin")) == []


def test_no_answer_gives_the_recipe(tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "RETRIES", 0)
    known = card("histology")
    nowhere = replace(known.recipe, url="http://127.0.0.1:9/set.zip")
    with pytest.raises(DataError, match="no answer") as caught:
        downloads.obtain(replace(known, recipe=nowhere), tmp_path / "set")
    assert "1. Open https://zenodo.org/records/53169" in str(caught.value)


@pytest.mark.parametrize("name", ["chest-xray", "fundus"])
def test_the_recipe_is_numbered_and_complete(name, home):
    with pytest.raises(DataError) as caught:
        open_dataset(name)
    text, known = str(caught.value), card(name)
    for part in ("1. Open", "2. Download", "3. Extract", "4. Run again"):
        assert part in text
    for part in (known.recipe.address, *known.recipe.files, known.licence, known.doi):
        assert part in text
    assert str(home / "data" / name) in text


def link_member(name):
    member = zipfile.ZipInfo(name)
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../out.txt", "a path that leaves the folder"),
        ("a/../../out.txt", "a path that leaves the folder"),
        ("..\\out.txt", "a path that leaves the folder"),
        ("/tmp/out.txt", "an absolute path"),
        ("C:\\out.txt", "an absolute path"),
        (link_member("link"), "a link or a device"),
    ],
)
def test_hostile_members_are_refused(tmp_path, name, why):
    archive = make_zip(tmp_path / "bad.zip", {"good.txt": "x", name: "/etc/passwd"})
    with pytest.raises(DataError, match=f"is refused: .* is {why}"):
        downloads.extract(archive, tmp_path / "in" / "set")
    assert list((tmp_path / "in").iterdir()) == []
    assert not (tmp_path / "out.txt").exists()


def test_a_bomb_is_refused(tmp_path):
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("zeros", bytes(20_000_000))
    with pytest.raises(DataError, match="it would grow to 20,000,000 bytes"):
        downloads.extract(archive, tmp_path / "set")
    small = make_zip(tmp_path / "small.zip", {"x": "0123456789"})
    with pytest.raises(DataError, match="allowed are 9"):
        downloads.extract(small, tmp_path / "set", max_bytes=9)


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_archive_leaves_nothing(tmp_path, damage):
    archive = make_zip(tmp_path / "set.zip", {"x.txt": "0123456789" * 20})
    content = bytearray(archive.read_bytes())
    if damage == "cut":
        content = content[:60]
    else:
        content[60] ^= 1
    archive.write_bytes(content)
    with pytest.raises(DataError, match="not a whole zip file"):
        downloads.extract(archive, tmp_path / "in" / "set")
    assert list((tmp_path / "in").iterdir()) == []

import pytest

from nasray.storage.store import Store
from nasray.storage.urls import check_url, is_url, join_url, split_url, staging_folder


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path):
    if request.param == "folder":
        return Store(f"file://{tmp_path}/bucket/prefix")
    return Store(request.getfixturevalue("s3_url"))


def test_what_is_written_is_read_and_listed(store):
    store.write("run/a/one.json", b"1")
    store.write("run/two.json", b"22")
    assert store.read("run/a/one.json") == b"1"
    assert {name: entry.num_bytes for name, entry in store.entries("run").items()} == {
        "run/a/one.json": 1,
        "run/two.json": 2,
    }
    assert store.entries("run/two.json").keys() == {"run/two.json"}


def test_files_go_there_and_back(store, tmp_path):
    (tmp_path / "weights").write_bytes(bytes(range(256)) * 4096)
    entry = store.upload(tmp_path / "weights", "run/weights")
    assert entry == store.entry("run/weights")
    store.download("run/weights", tmp_path / "deep" / "copy")
    assert (tmp_path / "deep" / "copy").read_bytes() == (tmp_path / "weights").read_bytes()


def test_what_is_not_there_is_no_error(store):
    assert store.entries("run") == {}
    assert store.entry("run/one") is None
    assert store.read("run/one") is None
    store.delete("run/one")


def test_what_is_deleted_is_gone(store):
    store.write("run/one", b"1")
    store.write("run/two", b"2")
    store.delete("run/one")
    assert store.entries("run").keys() == {"run/two"}


def test_a_file_that_cannot_be_read_leaves_nothing(store, tmp_path):
    with pytest.raises(FileNotFoundError):
        store.upload(tmp_path / "none", "run/none")
    assert store.entry("run/none") is None


def test_a_bucket_that_is_not_there_is_told(s3_url):
    with pytest.raises(OSError, match="bucket does not exist"):
        Store("s3://no-such-bucket/runs").write("run/one", b"1")


@pytest.mark.parametrize("url", ["s4://bucket/runs", "s3://bucket/runs?no_such_option=1"])
def test_a_store_that_cannot_be_opened_is_told(url):
    with pytest.raises(ValueError, match="must be the URL of a store that pyarrow can open, got s"):
        Store(url)


def test_urls():
    assert is_url("s3://bucket/runs")
    assert not is_url("/mnt/runs")
    url = "s3://bucket/runs?region=eu-west-1"
    assert join_url(url, "digits") == "s3://bucket/runs/digits?region=eu-west-1"
    assert split_url(join_url(url, "digits")) == (url, "digits")
    assert split_url("file:///mnt/runs/digits/") == ("file:///mnt/runs", "digits")


def test_each_url_has_a_staging_folder_of_its_own(tmp_path):
    first, second = staging_folder("s3://bucket/runs"), staging_folder("s3://bucket/other")
    assert first != second
    assert first == staging_folder("s3://bucket/runs/")
    assert staging_folder("s3://bucket/runs?region=x") == staging_folder("s3://bucket/runs/?region=x")
    assert first.is_relative_to(tmp_path / "cache")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://key:secret@bucket/runs", "must hold no keys or passwords"),
        ("s3://key@bucket/runs", "must hold no keys or passwords"),
        ("s3://bucket/runs?endpoint_override=me:hidden@host:9000", "must hold no keys or passwords"),
        ("s3://", "must name a bucket"),
        (
            "abfs://runs@account.dfs.core.windows.net?tenant_id=a&client_id=b&client_secret=secret",
            "got tenant_id, client_secret: set",
        ),
        ("abfs://account.blob.core.windows.net/runs?sv=2026&sig=secret", "got sv, sig: set"),
        ("s3://bucket/runs?region=eu-west-1&no_such_option", "got no_such_option: set"),
    ],
)
def test_urls_that_a_config_may_not_have(url, message):
    with pytest.raises(ValueError, match=message) as raised:
        check_url(url)
    assert "=secret" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/runs?region=eu-west-1&scheme=http&endpoint_override=localhost:9000&allow_bucket_creation=true",
        "gs://anonymous@bucket/runs?location=eu&project_id=mine&retry_limit_seconds=10",
        "abfs://runs@account.dfs.core.windows.net/nas?credential_kind=workload_identity",
        "file:///mnt/runs?use_mmap=true",
    ],
)
def test_options_without_secrets_may_stand_in_a_url(url):
    check_url(url)
    Store(url)

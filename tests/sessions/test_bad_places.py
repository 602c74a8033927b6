"""Storage, git remotes, homes and disks that are not there, refuse, are full, or hold something else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harm import mortal, small_disk, unharmed
from servers.s3 import S3Server
from shell import Shell

NO_METRICS = "warning: no metrics were given for this model (--metric loss=0.2)\n"
OBJECT = "files/md5/fd/d830aff05f4fbfdc76b43a77050d13"  # of 'weights 1'


@pytest.fixture
def storage(repo: Shell, sealed: Path) -> Path:
    return sealed / ".local/share/cpv/storage/T/m"


def new_model(repo: Shell, name: str = "weights 2") -> None:
    repo.write("model.bin", name)


def forget(repo: Shell) -> None:
    """Nothing but the storage has the model any more."""
    repo.ok("rm -rf .dvc/cache model.bin")


class TestFolders:
    def test_a_folder_that_vanished(self, repo: Shell, storage: Path) -> None:
        """A disk that is not mounted must not be begun anew below its mount point."""
        new_model(repo)
        root = storage.parent.parent
        root.rename(root.with_name("unmounted"))
        with unharmed(repo):
            for command in ("push --metric loss=1", "status --check"):
                assert repo.fails(f"git cpv {command}") == (
                    f"error: storage folder '{storage}' does not exist, although objects were stored there\n"
                    "hint: is its disk mounted? where it is lost, git cpv push --check stores what the cache "
                    "holds"
                )
        assert not root.exists()
        forget(repo)
        with unharmed(repo):
            for command in ("pull", "revert v0.1", "pull v0.1 -o ../out"):
                assert repo.fails(f"git cpv {command}").startswith(
                    f"error: storage folder '{storage}' does not exist\nhint: "
                )

    def test_a_folder_that_is_lost_is_filled_from_the_cache(self, repo: Shell, storage: Path) -> None:
        root = storage.parent.parent
        root.rename(root.with_name("lost"))
        repo.ok("git cpv push -q --check")
        forget(repo)
        repo.ok("git cpv pull -q")
        assert repo.read("model.bin") == "weights 1"

    def test_a_folder_that_may_not_be_written(self, repo: Shell, storage: Path) -> None:
        dropped = mortal()
        new_model(repo)
        for folder in (storage, *(path for path in storage.rglob("*") if path.is_dir())):
            folder.chmod(0o555)
        with unharmed(repo):
            said = repo.fails(f"{dropped}git cpv push --metric loss=1")
        assert said.startswith("error: cannot write 'files/md5/")
        assert said.endswith(
            f"' in storage folder '{storage}': permission denied\nhint: see who may: ls -ld {storage}/cpv/tmp"
        )
        for folder in (storage, *storage.rglob("*")):
            if folder.is_dir():
                folder.chmod(0o755)
        repo.ok("git cpv push -q --metric loss=1")

    def test_a_folder_that_may_not_be_read(self, repo: Shell, storage: Path) -> None:
        dropped = mortal()
        forget(repo)
        storage.chmod(0)
        with unharmed(repo):
            said = repo.fails(f"{dropped}git cpv pull")
        storage.chmod(0o755)
        assert said == (
            f"error: cannot read '{OBJECT}' in storage folder '{storage}': permission denied\n"
            f"hint: see who may: ls -ld {storage}"
        )
        repo.ok("git cpv pull -q")

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"weightsX1", "is damaged: its content is not what its name says"),
            (b"weig", "is damaged: it has 4 bytes, its pointer says 9"),
            (None, "is missing from"),
        ],
    )
    def test_a_wrong_object(self, repo: Shell, storage: Path, content: bytes | None, said: str) -> None:
        """It is never taken for the model; a push --check where the model is heals it."""
        repo.git("clone", "-q", ".", "../clone")
        clone = repo.at("../clone")
        clone.git("remote", "remove", "origin")
        place = storage / OBJECT
        place.unlink()
        if content is not None:
            place.write_bytes(content)
        with unharmed(clone):
            for command in ("pull", "pull v0.1 --model -o ../out"):
                lines = clone.fails(f"git cpv {command}").splitlines()
                assert lines[0].startswith(f"error: object '{OBJECT}'") and said in lines[0]
                assert "'git cpv push --check'" in lines[1] and len(lines) == 2
        assert not (clone.cwd / "model.bin").exists() and not (clone.cwd / "../out").exists()
        assert "storage lacks 1 of the objects of model.bin" in repo.ok("git cpv status --check")
        assert "9 B in 1 object stored and confirmed" in repo.run("git cpv push --check").err
        clone.ok("git cpv pull -q")
        assert clone.read("model.bin") == "weights 1"

    def test_a_folder_where_an_object_should_be(self, repo: Shell, storage: Path) -> None:
        (storage / OBJECT).unlink()
        (storage / OBJECT).mkdir()
        with unharmed(repo):
            said = repo.fails("git cpv push --check")
        assert said.startswith("error: cannot write '")
        assert said.endswith(
            f"' in storage folder '{storage}': is a directory\nhint: is its disk mounted, and is it a folder?"
        )


class TestFullDisks:
    def test_a_full_storage(self, shell: Shell) -> None:
        with small_disk(shell, "disk", "1m"):
            shell.ok("git cpv init -q --team T --model m --storage $PWD/disk repo")
            repo = shell.at("repo")
            repo.write("model.bin", bytes(3 << 20))
            with unharmed(repo):
                assert repo.fails("git cpv push --metric loss=1") == (
                    f"error: storage folder '{shell.cwd}/disk/T/m' is full\n"
                    "hint: free some space there, then run the same command again"
                )
            shell.ok("mount -o remount,size=10m disk")
            repo.ok("git cpv push -q --metric loss=1")

    def test_a_full_disk_below_the_worktree(self, shell: Shell) -> None:
        """push stores from where the model is; what would have to write here says so, and does nothing."""
        with small_disk(shell, "disk", "13m"):
            shell.ok("git cpv init -q --team T --model m disk/repo")
            repo = shell.at("disk/repo")
            repo.write("model.bin", bytes(3 << 20))
            repo.ok("git cpv push -q --model --metric loss=0.5 && git cpv tag -q")
            repo.write("model.bin", b"x" * (3 << 20))
            shell.write("disk/filler", bytes(5 << 20))
            pushed = repo.run("git cpv push --model --metric loss=0.4")
            assert pushed.code == 0, str(pushed)
            assert "the disk is too short to keep a copy of 'model.bin' in the cache" in pushed.err
            repo.ok("rm -rf .dvc/cache")
            shell.write("disk/filler", bytes(8 << 20))
            with unharmed(repo):
                said = repo.fails("git cpv revert v0.1")
            assert said.startswith(f"error: cannot write '{repo.cwd}/.dvc/cache/cpv/tmp/")
            assert said.endswith("': the disk is full\nhint: free some space and run the command again")
            shell.ok("rm disk/filler")
            repo.ok("git cpv revert -q v0.1")
            assert (repo.cwd / "model.bin").read_bytes() == bytes(3 << 20)

    def test_a_full_disk_below_git(self, shell: Shell) -> None:
        with small_disk(shell, "disk", "2m"):
            shell.ok("git cpv init -q --team T --model m disk/repo")
            repo = shell.at("disk/repo")
            new_model(repo, "weights 1")
            repo.ok("git cpv push -q --metric loss=0.5")
            new_model(repo)
            before = (repo.git("for-each-ref"), repo.read("model.bin.dvc"))
            repo.git("config", "cpv.cache", "none")
            shell.run("head -c 9m /dev/zero >disk/filler")
            for command, verb in (
                ("push --model", "unpack-objects"),
                ("tag", "mktag"),
                ("track other.bin", "unpack-objects"),
            ):
                lines = repo.fails(f"git cpv {command}").splitlines()[-2:]
                assert lines[0].startswith(f"error: git {verb} failed: ")
                assert lines[0].endswith("No space left on device")
                assert lines[1] == "hint: free some space and run the command again"
            shell.ok("rm disk/filler")
            assert (repo.git("for-each-ref"), repo.read("model.bin.dvc")) == before
            assert repo.git("status", "--porcelain") == ""
            repo.ok("git cpv push -q --metric loss=1 && git cpv tag -q && git fsck --strict")


class TestS3:
    @pytest.fixture
    def bucket(self, moto_server: S3Server) -> str:
        return moto_server.new_bucket()

    @pytest.fixture
    def remote(self, shell: Shell, bucket: str, moto_server: S3Server) -> Shell:
        shell.ok(f"git cpv init -q --team T --model m --storage s3://{bucket} repo")
        repo = shell.at("repo", **moto_server.environment)
        repo.write("model.bin", "weights 1")
        return repo

    def test_nobody_is_let_in_without_credentials(self, remote: Shell, bucket: str) -> None:
        run = "hint: run 'aws configure', or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        keys = "hint: check the keys in ~/.aws/credentials or AWS_ACCESS_KEY_ID, and the profile"
        without = "env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY git cpv push --metric loss=1"
        with unharmed(remote):
            assert remote.fails(without) == f"error: no AWS credentials for 's3://{bucket}/T/m'\n{run}"
            assert remote.fails(f"{without.replace('-u AWS_ACCESS_KEY_ID', '')}") == (
                f"error: the AWS credentials are incomplete\n{keys}"
            )
            assert remote.fails("git cpv push --metric loss=1", AWS_PROFILE="nobody") == (
                "error: there is no AWS profile 'nobody'\nhint: which there are: aws configure list-profiles"
            )

    def test_nobody_is_there(self, remote: Shell) -> None:
        with unharmed(remote):
            said = remote.fails("git cpv push --metric loss=1", AWS_ENDPOINT_URL="http://127.0.0.1:9")
        assert said.splitlines()[-2:] == [
            "error: cannot reach 127.0.0.1:9",
            "hint: check the network and the endpoint",
        ]
        remote.ok("git cpv push -q --metric loss=1")
        assert "up to date" in remote.run("git cpv push", AWS_ENDPOINT_URL="http://127.0.0.1:9").err

    def test_a_bucket_that_does_not_exist(self, remote: Shell, moto_server: S3Server, bucket: str) -> None:
        moto_server.client().delete_bucket(Bucket=bucket)
        host = moto_server.endpoint.removeprefix("http://")
        said = f"error: bucket '{bucket}' does not exist at {host}\nhint: make it, or check its name"
        with unharmed(remote):
            assert remote.fails("git cpv push --metric loss=1") == said
        moto_server.client().create_bucket(Bucket=bucket)
        remote.ok("git cpv push -q --metric loss=1")

    def test_a_wrong_object(self, remote: Shell, moto_server: S3Server, bucket: str) -> None:
        remote.ok("git cpv push -q --metric loss=1")
        client, key = moto_server.client(), f"T/m/{OBJECT}"
        client.put_object(Bucket=bucket, Key=key, Body=b"weightsX1")
        remote.git("clone", "-q", ".", "../clone")
        clone = remote.at("../clone")
        with unharmed(clone):
            assert clone.fails("git cpv pull") == (
                f"error: object '{OBJECT}' in 's3://{bucket}/T/m' is damaged: "
                "its content is not what its name says\n"
                "hint: push it again from a clone that has it: 'git cpv push --check'"
            )
        assert "9 B in 1 object stored and confirmed" in remote.run("git cpv push --check").err
        assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == b"weights 1"

    @pytest.mark.parametrize(
        ("variable", "said"),
        [
            ("AWS_SECRET_ACCESS_KEY", "refuses the secret access key as wrong"),
            ("AWS_ACCESS_KEY_ID", "does not know this access key"),
        ],
    )
    def test_wrong_keys(self, shell: Shell, ceph_server: S3Server, variable: str, said: str) -> None:
        shell.ok(f"git cpv init -q --team T --model m --storage s3://{ceph_server.new_bucket()} repo")
        repo = shell.at("repo", **ceph_server.environment)
        repo.write("model.bin", "weights 1")
        with unharmed(repo):
            assert repo.fails("git cpv push --metric loss=1", **{variable: "WRONG0123456789"}) == (
                f"error: {ceph_server.endpoint.removeprefix('http://')} {said}\n"
                "hint: check the keys in ~/.aws/credentials or AWS_ACCESS_KEY_ID, and the profile"
            )
        repo.ok("git cpv push -q --metric loss=1")

    def test_a_bucket_that_may_only_be_read(self, shell: Shell, ceph_server: S3Server) -> None:
        bucket = ceph_server.new_bucket()
        deny = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{bucket}/*",
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
        ceph_server.client().put_bucket_policy(Bucket=bucket, Policy=policy)
        shell.ok(f"git cpv init -q --team T --model m --storage s3://{bucket} repo")
        repo = shell.at("repo", **ceph_server.environment)
        repo.write("model.bin", "weights 1")
        with unharmed(repo):
            lines = repo.fails("git cpv push --metric loss=1").splitlines()
        assert lines[0].startswith(f"error: access denied: may not write in 's3://{bucket}/T/m'")
        assert lines[1].startswith("hint: ")
        ceph_server.client().delete_bucket_policy(Bucket=bucket)
        repo.ok("git cpv push -q --metric loss=1")


@pytest.fixture
def origin(repo: Shell) -> Iterator[Shell]:
    """An empty git remote of `repo`, named origin."""
    repo.git("init", "-q", "--bare", "../origin.git")
    repo.git("remote", "add", "origin", "../origin.git")
    yield repo.at("../origin.git")


STORED = "what was committed is stored, and git cpv push publishes it then"


class TestGitRemotes:
    def test_one_that_is_not_there(self, repo: Shell) -> None:
        repo.git("remote", "add", "origin", "../gone.git")
        new_model(repo)
        assert repo.fails("git cpv push --metric loss=1") == (
            "error: git push failed: '../gone.git' does not appear to be a git repository\n"
            f"hint: look at 'git remote -v'; {STORED}"
        )
        assert "main, not published to origin yet" in repo.ok("git cpv status")
        assert repo.ok("git cpv status").endswith("\nsomething to push: git cpv push")
        with unharmed(repo):
            assert repo.fails("git cpv pull") == (
                "error: git fetch failed: '../gone.git' does not appear to be a git repository\n"
                "hint: look at 'git remote -v'"
            )
        repo.git("init", "-q", "--bare", "../gone.git")
        assert repo.run("git cpv push").err == "published to origin\nversions published: v0.1\n"

    def test_one_that_can_not_be_reached(self, repo: Shell) -> None:
        repo.git("remote", "add", "origin", "https://127.0.0.1:9/x.git")
        repo.git("config", "cpv.storageShared", "true")
        lines = repo.fails("git cpv push").splitlines()
        assert lines[0].startswith("error: git push failed: unable to access 'https://127.0.0.1:9/x.git/': ")
        assert lines[1:] == [f"hint: check the network, and the URL: git remote -v; {STORED}"]

    @pytest.mark.parametrize("hook", ["pre-receive", "update"])
    def test_one_that_refuses(self, repo: Shell, origin: Shell, hook: str) -> None:
        """Its own words are shown; what is recorded here stays, and the versions stay pending."""
        new_model(repo)
        origin.write(f"hooks/{hook}", "#!/bin/sh\necho 'use a pull request' >&2\nexit 1\n").chmod(0o755)
        for _ in range(2):
            said = repo.fails("git cpv push --metric loss=1")
            assert "error: git remote 'origin' refused 'refs/" in said
            assert ": use a pull request" in said.splitlines()[-2]
            assert said.splitlines()[-1] == (
                "hint: what was committed here is stored; to publish it for a pull request: "
                "git cpv push --branch NAME"
            )
        assert origin.git("for-each-ref") == ""
        assert repo.git("log", "-1", "--format=%s") == "Update model (loss=1)"
        assert repo.git("for-each-ref", "--format=%(refname)", "refs/cpv/pending") == "refs/cpv/pending/v0.1"
        (origin.cwd / "hooks" / hook).unlink()
        assert repo.run("git cpv push").err == "published to origin\nversions published: v0.1\n"

    def test_one_that_refuses_control_characters_as_well(self, repo: Shell, origin: Shell) -> None:
        origin.write("hooks/update", "#!/bin/sh\nprintf '\\033[2Jgone\\a\\n' >&2\nexit 1\n").chmod(0o755)
        said = repo.fails("git cpv push")
        assert "\x1b" not in said and "\x07" not in said
        assert len(said.splitlines()) == 2

    def test_one_elsewhere_while_the_storage_is_here(self, repo: Shell, storage: Path) -> None:
        for url in (
            "ssh://git@bitbucket.example/t/r.git",
            "git@bitbucket.example:t/r.git",
            "https://h.example/r",
        ):
            repo.ok(f"git remote remove origin 2>/dev/null; git remote add origin {url}")
            new_model(repo)
            with unharmed(repo):
                assert repo.fails("git cpv push --metric loss=1").startswith(
                    "error: git remote 'origin' is on another machine, but the storage is a folder of this "
                    f"one: '{storage}'\nhint: "
                )

    def test_a_remote_that_the_settings_name_and_that_is_none(self, repo: Shell) -> None:
        with unharmed(repo):
            for command in ("push", "pull"):
                assert repo.fails(f"git -c cpv.remote=elsewhere cpv {command}") == (
                    "error: cpv.remote names no git remote: 'elsewhere'\nhint: git remote -v"
                )


class TestHomes:
    def test_a_home_that_is_read_only(self, repo: Shell, sealed: Path, tmp_path: Path) -> None:
        """Only a storage that lies in it can't be written; nothing else needs it."""
        dropped = mortal()
        repo.write("elsewhere/model.bin", "weights 1")
        folders = [sealed, *(path for path in sealed.rglob("*") if path.is_dir())]
        for folder in folders:
            folder.chmod(0o555)
        new_model(repo)
        with unharmed(repo):
            said = repo.fails(f"{dropped}git cpv push --metric loss=1")
        assert (
            said.startswith("error: cannot write 'files/md5/")
            and "permission denied\nhint: see who may: " in said
        )
        repo.ok(f"{dropped}git cpv tag --force -q && {dropped}git cpv status && {dropped}git cpv list")
        assert repo.fails(f"{dropped}git cpv init --team T --model other ../other") == (
            f"error: cannot make the storage '{sealed}/.local/share/cpv/storage/T/other': permission denied\n"
            "hint: git cpv init --storage FOLDER chooses another"
        )
        assert not (repo.cwd / "../other").exists()
        repo.ok(f"{dropped}git cpv init -q --team T --model other --storage {tmp_path}/objects ../other")
        other = repo.at("../other")
        other.write("model.bin", "weights")
        other.ok(f"{dropped}git cpv push -q --metric loss=1 && {dropped}git cpv tag -q")
        for folder in folders:
            folder.chmod(0o755)

    @pytest.mark.parametrize("home", ["/nonexistent", "/dev/null", ""])
    def test_no_home_at_all(self, repo: Shell, home: str) -> None:
        environment = {"HOME": home, "XDG_CONFIG_HOME": "", "XDG_CACHE_HOME": ""}
        repo.ok("git cpv status && git cpv list && git cpv push", **environment)

    def test_a_user_whom_the_machine_does_not_know(self, shell: Shell) -> None:
        """As in a container: no name, no home. A folder called '~' in a clone is not taken for it."""
        become = "unshare --user --map-user=54321 --map-group=54321"
        if shell.run(f"{become} true").code:
            pytest.skip("NOBODY CAN BECOME AN UNKNOWN USER HERE (unshare), so that one was not tested")
        homes = ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")  # logs may stay where they are
        without = " ".join(f"-u {name}" for name in (*homes, "USER", "LOGNAME"))
        as_nobody = f"{become} env {without} "
        shell.write("repo/~/.config/cpv/config.json", '{"storage": "/the-clones-own"}')
        repo = shell.at("repo")
        assert repo.fails(f"{as_nobody} git-cpv-init --model m") == (
            "error: no team name is set\nhint: git cpv init --team NAME"
        )
        plan = repo.ok(f"{as_nobody} git-cpv-init -n --json --team T --model m")
        assert '"/.local/share/cpv/storage/T/m"' in plan
        repo.ok(f"{as_nobody} git-cpv-init -q --team T --model m --storage {shell.cwd}/objects")
        repo.write("model.bin", "weights 1")
        repo.ok(f"{as_nobody} git-cpv-track -q model.bin && {as_nobody} git-cpv-push -q --metric loss=1")
        repo.ok(f"{as_nobody} git-cpv-tag -q && {as_nobody} git-cpv-status && {as_nobody} git-cpv-list")
        assert repo.files("~") == {".config/cpv/config.json": b'{"storage": "/the-clones-own"}'}

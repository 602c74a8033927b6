"""Signed versions: made with the user's own keys, and insisted on where cpv.requireSigned is set."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shell import Shell
from template import MakeTemplate, Template

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not installed")

ADA, EVE = "ada@example.org", "eve@example.org"
KEY = r"(ED25519 key SHA256:"


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(made)


def made(shell: Shell) -> None:
    """Ada's repository: v0.1 is not signed; v0.2, of model and data, is signed by Ada and in production; v0.3
    is signed by Eve."""
    for who in ("ada", "eve"):
        shell.ok(f"ssh-keygen -q -t ed25519 -N '' -C {who} -f ~/{who}.key")
    shell.ok(f"printf '%s ' {ADA} > ~/signers; cat ~/ada.key.pub >> ~/signers")
    shell.git("init", "-q", "--bare", "hub.git")
    shell.ok("git cpv init -q --team AI-Convo --model whisper --remote ../hub.git ada")
    ada = signing(shell.at("ada"), "ada")
    ada.write("data/train/a.txt", "one\n")
    push(ada, "weights 1", 0.5)
    ada.ok("git cpv tag -q")
    push(ada, "weights 2", 0.4)
    ada.ok("git cpv tag -q --combined --sign && git cpv alias -q production v0.2 --sign --push")
    push(ada, "weights 3", 0.3)
    signing(ada, "eve").ok("git cpv tag -q --sign --push && git cpv alias -q canary v0.2 --sign --push")
    signing(ada, "ada")


def signing(repo: Shell, who: str) -> Shell:
    home = repo.ok("echo ~")
    repo.git("config", "gpg.format", "ssh")
    repo.git("config", "user.signingKey", f"{home}/{who}.key")
    return repo


@pytest.fixture
def ada(template: Template, shell: Shell, sealed: Path) -> Shell:
    template.copy(sealed, shell.cwd)
    return signing(shell.at("ada"), "ada")


@pytest.fixture
def strict(ada: Shell, sealed: Path) -> Shell:
    """The same, on a machine that trusts Ada's key and takes only what is signed."""
    ada.git("config", "--global", "gpg.ssh.allowedSignersFile", str(sealed / "signers"))
    ada.git("config", "--global", "cpv.requireSigned", "true")
    return ada


def push(repo: Shell, model: str, loss: float) -> None:
    repo.write("model.bin", model)
    repo.ok(f"git cpv push -q --metric loss={loss}")


def refused(repo: Shell, command: str) -> str:
    """Why; and nothing was moved or written."""
    before = repo.files(), repo.git("for-each-ref"), repo.git("rev-parse", "HEAD")
    error, _, hint = repo.fails(command).partition("\n")
    assert (repo.files(), repo.git("for-each-ref"), repo.git("rev-parse", "HEAD")) == before
    assert hint.startswith("hint: ")
    return error.removeprefix("error: ").removesuffix(", and cpv.requireSigned is set")


def test_who_signed_what(strict: Shell) -> None:
    told = strict.ok("git cpv list --model --show-signature").splitlines()
    assert [" no: is signed by a key " in told[0], f" by {ADA} {KEY}" in told[1]] == [True, True]
    assert "  no: is signed by nobody " in told[2]
    signed = {
        each["version"]: each["signature"]
        for each in json.loads(strict.ok("git cpv list --model --show-signature --json"))["versions"]
    }
    assert signed["v0.1"] == {"verdict": "missing", "signer": None, "why": "is signed by nobody"}
    assert signed["v0.2"]["verdict"] == "good"
    assert signed["v0.2"]["signer"].startswith(f"{ADA} {KEY}")
    assert signed["v0.3"]["verdict"] == "unknown"
    assert signed["v0.3"]["why"].startswith(f"is signed by a key that is not known here {KEY}")
    assert f"\nsigned  by {ADA} {KEY}" in strict.ok("git cpv show --show-signature production")
    assert "\nsigned  no: is signed by nobody\n" in strict.ok("git cpv show --show-signature v0.1")
    assert "signature" not in json.loads(strict.ok("git cpv show v0.2 --json"))


def test_both_halves_and_the_alias_are_signed_as_git_signs_tags(strict: Shell) -> None:
    for tag in ("v0.2", "data/v0.2", "alias/production/1"):
        assert f'Good "git" signature for {ADA}' in strict.run(["git", "verify-tag", tag]).err
    assert strict.git("for-each-ref", "refs/cpv/pending") == ""
    assert not (strict.cwd / ".git/cpv/signing").exists() or not any(
        (strict.cwd / ".git/cpv/signing").iterdir()
    )


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("v0.1", "'v0.1' is signed by nobody"),
        ("v0.3", f"'v0.3' is signed by a key that is not known here {KEY}"),
        ("latest", f"'v0.3' is signed by a key that is not known here {KEY}"),
        ("canary", f"'alias/canary/1' is signed by a key that is not known here {KEY}"),
        ("HEAD", "no signed version names this data"),
        ("HEAD~2", "no signed version names this model"),
    ],
)
def test_what_is_not_signed_does_not_come(strict: Shell, version: str, why: str) -> None:
    if version == "HEAD":
        strict.write("data/train/a.txt", "two\n")
        strict.ok("git cpv push -q --data")
        why = "no signed version names this "
    assert refused(strict, f"git cpv pull {version}").startswith(why)
    assert refused(strict, f"git cpv pull {version} --output ../out").startswith(why)
    assert refused(strict, f"git cpv pull --from ../hub.git {version} --output ../out").startswith(why)
    assert not (strict.cwd / "../out").exists()
    if version.startswith("v") or version == "canary":
        assert refused(strict, f"git cpv revert {version}").startswith(why)
        assert refused(strict, f"git cpv revert --detach {version}").startswith(why)


def test_what_is_signed_comes(strict: Shell) -> None:
    strict.ok("git cpv pull -q --from ../hub.git production --output ../out")
    assert strict.at("../out").read("model.bin") == "weights 2"
    strict.ok("git cpv pull -q v0.2 --output ../two && git cpv pull -q HEAD~1 --output ../three")
    strict.ok("git cpv revert -q production")
    assert strict.read("model.bin") == "weights 2"
    strict.ok("git cpv revert -q --detach v0.2")


def test_a_branch_comes_when_a_signed_version_names_it(strict: Shell, shell: Shell) -> None:
    told = shell.fails("git cpv clone hub.git late").splitlines()
    assert told[0].endswith(
        "late', without its objects: no signed version names this model, and cpv.requireSigned is set"
    )
    late = shell.at("late")
    assert not (late.cwd / "model.bin").exists()
    strict.git("push", "-q", "--force", "origin", "HEAD~1:main")
    shell.ok("git cpv clone -q hub.git bob")
    bob = shell.at("bob")
    assert bob.read("model.bin") == "weights 2"
    strict.git("push", "-q", "origin", "HEAD:main")
    head = bob.git("rev-parse", "HEAD")
    assert "no signed version names this model" in bob.fails("git cpv pull")
    assert (bob.git("rev-parse", "HEAD"), bob.read("model.bin")) == (head, "weights 2")
    strict.ok("git cpv tag -q --force --sign --push")
    bob.ok("git cpv pull -q")
    assert bob.read("model.bin") == "weights 3"


MERGED_BY_GIT = "git fetch -q && ! git -c merge.cpv.driver=false merge -q origin/main && git cpv pull -q"


@pytest.mark.parametrize("way", ["git cpv pull -q", MERGED_BY_GIT])
def test_of_a_merge_what_comes_has_to_be_signed(strict: Shell, shell: Shell, way: str) -> None:
    """The merged folder is new, and nobody can have signed it."""
    strict.git("push", "-q", "--force", "origin", "HEAD~1:main")
    shell.ok("git cpv clone -q hub.git bob")
    bob = shell.at("bob")
    bob.write("data/train/b.txt", "two\n")
    bob.git("remote", "set-url", "origin", "../elsewhere.git")
    bob.fails("git cpv push -q")
    bob.git("remote", "set-url", "origin", "../hub.git")
    strict.git("reset", "-q", "--hard", "HEAD~1")
    strict.write("data/train/a.txt", "changed\n")
    strict.ok("git cpv pull -q && git cpv push -q && git cpv tag -q --data --push")
    mine, head = bob.files("data"), bob.git("rev-parse", "HEAD")
    said = bob.run(way).err
    assert "no signed version names this data, and cpv.requireSigned is set" in said
    assert (bob.files("data"), bob.git("rev-parse", "HEAD")) == (mine, head)
    strict.ok("git cpv tag -q --data --force --sign --push")
    bob.run("git merge --abort")
    bob.ok(way)
    assert bob.files("data") == {**mine, "train/a.txt": b"changed\n"}


def test_python_downloads_only_what_is_signed(strict: Shell) -> None:
    program = """
from cpvlib import ModelsCheckpointsManage, CPVError
models = ModelsCheckpointsManage("AI-Convo", "whisper")
for tag in ("v0.1", "v0.2", "canary", "production"):
    try:
        print(tag, models.download_model_checkpoint(tag).tag)
    except CPVError as error:
        print(tag, error.message.split(" by ")[0])
"""
    file = strict.write("../read.py", program)
    assert strict.ok([sys.executable, str(file)]).splitlines() == [
        "v0.1 'v0.1' is signed",
        "v0.2 v0.2",
        "canary 'alias/canary/1' is signed",
        "production v0.2",
    ]


def test_a_tampered_or_misplaced_tag_is_wrong(strict: Shell) -> None:
    raw = strict.ok("git cat-file tag v0.2")
    forged = strict.ok("git mktag", stdin=raw.replace('"loss":0.4', '"loss":0.1') + "\n")
    strict.git("update-ref", "refs/tags/v0.2", forged)
    assert refused(strict, "git cpv pull v0.2") == "'v0.2' has a signature that is not of what it says"
    good = strict.ok("git mktag", stdin=raw + "\n")
    strict.git("update-ref", "refs/tags/v0.8", good)
    assert refused(strict, "git cpv pull v0.8") == "'v0.8' was signed as 'v0.2'"
    strict.git("update-ref", "refs/tags/alias/canary/2", strict.git("rev-parse", "alias/production/1"))
    assert refused(strict, "git cpv pull canary").startswith("'alias/canary/1' is signed by a key")


def test_a_key_that_was_revoked_or_is_too_old(strict: Shell, sealed: Path) -> None:
    (sealed / "revoked").write_text((sealed / "ada.key.pub").read_text())
    strict.git("config", "--global", "gpg.ssh.revocationFile", str(sealed / "revoked"))
    assert refused(strict, "git cpv pull v0.2").startswith("'v0.2' ")
    strict.git("config", "--global", "--unset", "gpg.ssh.revocationFile")
    strict.ok("git cpv pull -q v0.2")
    key = (sealed / "ada.key.pub").read_text()
    (sealed / "signers").write_text(f'{ADA} valid-before="20200101" {key}')
    assert refused(strict, "git cpv pull v0.2").startswith("'v0.2' ")


def test_the_repository_does_not_say_whom_to_trust(strict: Shell, sealed: Path) -> None:
    strict.write("signers", (sealed / "signers").read_text())
    for place in ("signers", f"{strict.cwd}/signers", "../ada/signers"):
        strict.git("config", "gpg.ssh.allowedSignersFile", place)
        assert refused(strict, "git cpv pull v0.2") == (
            f"gpg.ssh.allowedSignersFile is '{place}', in the repository, where every push can change it"
        )
    (strict.cwd / ".git/signers").write_text((sealed / "signers").read_text())
    strict.git("config", "gpg.ssh.allowedSignersFile", ".git/signers")
    strict.ok("git cpv pull -q v0.2")


def test_a_clone_may_ask_for_signatures_and_not_waive_them(strict: Shell) -> None:
    config = strict.read(".cpvconfig")
    strict.write(".cpvconfig", config + "[cpv]\n\trequireSigned = false\n")
    assert refused(strict, "git cpv pull v0.1") == "'v0.1' is signed by nobody"
    strict.git("config", "--global", "--unset", "cpv.requireSigned")
    strict.ok("git cpv pull -q v0.1")
    strict.write(".cpvconfig", config + "[cpv]\n\trequireSigned = true\n")
    assert refused(strict, "git cpv pull v0.1") == "'v0.1' is signed by nobody"
    strict.ok("git -c cpv.requireSigned=false cpv pull -q v0.1 && git cpv pull -q v0.2")


def test_nothing_is_known_of_ssh_keys(strict: Shell) -> None:
    strict.git("config", "--global", "--unset", "gpg.ssh.allowedSignersFile")
    assert refused(strict, "git cpv pull v0.2") == (
        "'v0.2' is signed by SSH, and gpg.ssh.allowedSignersFile is not set"
    )


def test_git_signs_every_tag_where_it_is_set_up_so(ada: Shell) -> None:
    ada.git("config", "tag.gpgSign", "true")
    push(ada, "weights 4", 0.2)
    ada.ok("git cpv tag -q && git cpv tag -q --force --no-sign")
    signed = ada.ok("git cpv list --model -n 2 --show-signature --json")
    verdicts = [each["signature"]["verdict"] for each in json.loads(signed)["versions"]]
    assert verdicts == ["missing", "unknown"]


def test_what_can_not_be_signed_is_not_made(ada: Shell) -> None:
    ada.git("config", "user.signingKey", "/nowhere")
    push(ada, "weights 4", 0.2)
    before = ada.git("for-each-ref")
    told = ada.fails("git cpv tag --sign").splitlines()
    assert told[0].startswith("error: git tag failed: ")
    assert told[-1] == "hint: name a key: git config user.signingKey KEY; or leave it unsigned: --no-sign"
    assert ada.git("for-each-ref") == before
    ada.git("config", "tag.gpgSign", "true")
    ada.git("config", "cpv.autotag", "changed")
    ada.write("model.bin", "weights 5")
    done = ada.run("git cpv push --metric loss=0.1")
    assert (done.code, "no version: git tag failed: " in done.err) == (0, True)


def test_a_signed_number_that_was_taken_stays_for_its_user_to_decide(ada: Shell, shell: Shell) -> None:
    shell.ok("git cpv clone -q hub.git bob")
    push(ada, "weights 4", 0.2)
    ada.ok("git cpv tag -q --sign && git cpv alias -q production v0.4 --sign")
    bob = shell.at("bob")
    bob.ok("git cpv tag -q --force --push && git cpv alias -q production v0.1 --push")
    assert ada.fails("git cpv push").splitlines() == [
        "error: 'v0.4' was taken at 'origin' in the meantime, and yours is signed",
        "hint: git cpv tag -d v0.4 && git cpv pull, then git cpv tag --sign",
    ]
    ada.ok("git cpv tag -q -d v0.4 && git cpv pull -q && git cpv tag -q --sign")
    ada.ok("git cpv alias -q production v0.5 --sign --push")
    assert ada.ok("git cpv alias production") == "v0.5"
    verify = "git -c gpg.ssh.allowedSignersFile=$HOME/signers verify-tag"
    assert "Good" in ada.run(f"{verify} alias/production/4").err


@pytest.fixture
def keyring() -> Iterator[Path]:
    """A GNUPGHOME of its own; the paths of its agent's sockets must be short."""
    folder = Path(tempfile.mkdtemp(prefix="cpv-gpg-"))
    folder.chmod(0o700)
    try:
        yield folder
    finally:
        Shell(folder).run(f"gpgconf --homedir {folder} --kill all")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.skipif(not shutil.which("gpg"), reason="gpg is not installed")
def test_openpgp(ada: Shell, keyring: Path) -> None:
    ada = ada.at(".", GNUPGHOME=str(keyring))
    ada.ok(f"gpg --batch -q --passphrase '' --quick-generate-key {ADA} ed25519 sign 2y")
    ada.git("config", "gpg.format", "openpgp")
    ada.git("config", "user.signingKey", ADA)
    push(ada, "weights 4", 0.2)
    ada.ok("git cpv tag -q --sign --push")
    ada.git("config", "--global", "cpv.requireSigned", "true")
    ada.ok("git cpv pull -q v0.4")
    assert f"\nsigned  by {ADA} (" in ada.ok("git cpv show --show-signature v0.4")
    raw = ada.ok("git cat-file tag v0.4")
    forged = ada.ok("git mktag", stdin=raw.replace('"loss":0.2', '"loss":0.1') + "\n")
    ada.git("update-ref", "refs/tags/v0.4", forged)
    assert refused(ada, "git cpv pull v0.4") == "'v0.4' has a signature that is not of what it says"
    ada.git("update-ref", "refs/tags/v0.4", ada.ok("git mktag", stdin=raw + "\n"))
    elsewhere = ada.at(".", GNUPGHOME=str(keyring / "empty"))
    (keyring / "empty").mkdir(mode=0o700)
    assert refused(elsewhere, "git cpv pull v0.4") == "'v0.4' is signed by a key that is not known here"
    Shell(keyring).run(f"gpgconf --homedir {keyring}/empty --kill all")


@pytest.mark.skipif(not shutil.which("gpg"), reason="gpg is not installed")
def test_an_openpgp_key_that_has_expired(ada: Shell, keyring: Path) -> None:
    ada = ada.at(".", GNUPGHOME=str(keyring))
    then = ada.write("../then", '#!/bin/sh\nexec gpg --faked-system-time 20200101T120000 "$@"\n')
    then.chmod(0o755)
    ada.ok(f"{then} --batch -q --passphrase '' --quick-generate-key {ADA} ed25519 sign 7d")
    ada.git("config", "gpg.format", "openpgp")
    ada.git("config", "user.signingKey", ADA)
    push(ada, "weights 4", 0.2)
    ada.ok(f"git -c gpg.program={then} cpv tag -q --sign")
    ada.git("config", "--global", "cpv.requireSigned", "true")
    assert refused(ada, "git cpv pull v0.4") == "'v0.4' is signed by a key that has expired"

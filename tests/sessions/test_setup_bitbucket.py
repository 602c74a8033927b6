"""git cpv setup bitbucket, against a real sshd that stands for the git host."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from servers.sshd import GREETING, SshServer, proxied, silent_port
from shell import Shell

NAMES = ("bitbucket.org", "ssh.bitbucket.org", "altssh.bitbucket.org")
PAGE = "https://bitbucket.org/account/settings/ssh-keys/"


@pytest.fixture
def host(ssh_home: Path, ssh_server: SshServer) -> SshServer:
    """bitbucket.org, as far as ssh can see."""
    config = ssh_home / "config"
    config.write_text(config.read_text() + ssh_server.reached_as(*NAMES))
    return ssh_server


def command(host: SshServer) -> str:
    return f"git cpv setup bitbucket --host {host.user}@bitbucket.org --host-key {host.fingerprint}"


def block(user: str, key: Path, name: str = "ssh.bitbucket.org", port: int = 22) -> str:
    return (
        "# >>> git cpv setup, bitbucket.org: this block is rewritten as a whole >>>\n"
        "Host bitbucket.org ssh.bitbucket.org altssh.bitbucket.org\n"
        f"    HostName {name}\n"
        "    HostKeyAlias bitbucket.org\n"
        f"    Port {port}\n"
        f"    User {user}\n"
        f"    IdentityFile {key}\n"
        "    IdentitiesOnly yes\n"
        "Host *\n"
        "# <<< git cpv setup, bitbucket.org <<<\n"
    )


def test_from_nothing_to_a_login(shell: Shell, host: SshServer, ssh_home: Path) -> None:
    key = ssh_home / "id_ed25519"
    before = (ssh_home / "config").read_text()
    first = shell.run(command(host))
    public = (ssh_home / "id_ed25519.pub").read_text()
    assert (first.code, first.out) == (128, public)
    assert first.err == (
        f"ssh.key: made {key}\n"
        f"ssh.config: the block for bitbucket.org is in {ssh_home}/config\n"
        f"ssh.host-key: bitbucket.org is known by the key {host.fingerprint}, in {ssh_home}/known_hosts\n"
        f"the ssh configuration as it was: {ssh_home}/config.before-cpv\n"
        f"paste this public key at {PAGE}\n"
        f"error: 'bitbucket.org' refuses the key '{key}'\n"
        "hint: add its public half to your account there; one with a passphrase is loaded first: ssh-add\n"
    )
    assert (ssh_home / "config").read_text() == f"{block(host.user, key)}\n{before}"
    assert (ssh_home / "config.before-cpv").read_text() == before
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in ssh_home.iterdir()} == {
        "config": "0o600",
        "config.before-cpv": "0o600",
        "id_ed25519": "0o600",
        "id_ed25519.pub": "0o644",
        "known_hosts": "0o600",
    }

    host.authorize(public)
    files = {path: path.read_bytes() for path in ssh_home.iterdir()}
    second = shell.run(command(host))
    assert (second.code, second.out) == (0, public)
    assert second.err.endswith(f"ssh.login: logged in to bitbucket.org: {GREETING}\n")
    assert {path: path.read_bytes() for path in ssh_home.iterdir()} == files
    stored = json.loads((shell_config(ssh_home)).read_text())
    assert stored.pop("last_updated")
    assert stored == {"bitbucket_ssh_keyfile": str(key)}


def shell_config(ssh_home: Path) -> Path:
    return ssh_home.parent / ".config/cpv/config.json"


def test_git_goes_the_way_that_was_set_up(shell: Shell, host: SshServer, ssh_home: Path) -> None:
    shell.git("init", "-q", "--bare", "there.git")
    shell.run(command(host))
    host.authorize((ssh_home / "id_ed25519.pub").read_text(), f"git-upload-pack {shell.cwd}/there.git")
    assert shell.ok(f"git ls-remote {host.user}@bitbucket.org:team/model.git") == ""


def test_the_published_keys_are_pinned_and_another_key_is_refused(
    shell: Shell, host: SshServer, ssh_home: Path
) -> None:
    """The host here shows its own key, as one that somebody put in between would."""
    error = shell.fails(f"git cpv setup bitbucket --host {host.user}@bitbucket.org -q")
    assert error.splitlines()[0] == (
        "error: the key that 'bitbucket.org' shows is not the one it is known by"
    )
    listed = subprocess.run(
        ["ssh-keygen", "-lf", str(ssh_home / "known_hosts")], capture_output=True, text=True, check=True
    )
    assert sorted(line.split()[1] for line in listed.stdout.splitlines()) == [
        "SHA256:46OSHA1Rmj8E8ERTC6xkNcmGOw9oFxYr0WF6zWW8l1E",
        "SHA256:FC73VB6C4OQLSCrjEayhMp9UMxS97caD/Yyi2bhW/J0",
        "SHA256:ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM",
    ]
    for name in ("bitbucket.org", "ssh.bitbucket.org", "[altssh.bitbucket.org]:443"):
        assert shell.run(["ssh-keygen", "-F", name, "-f", str(ssh_home / "known_hosts")]).code == 0


def test_a_host_key_that_changes_later_is_refused(shell: Shell, host: SshServer, ssh_home: Path) -> None:
    shell.run(command(host))
    host.authorize((ssh_home / "id_ed25519.pub").read_text())
    before = command(host)
    shell.ok(before)
    host.stop()
    host.new_host_key()
    host.start()
    error = shell.fails(f"{before} -q")
    assert error.startswith(f"error: 'bitbucket.org' shows the key {host.fingerprint}, not SHA256:")


def test_another_way_in(shell: Shell, host: SshServer, ssh_home: Path) -> None:
    """Port 443, another key, and back again; the block is the only thing that changes."""
    rest = (ssh_home / "config").read_text()
    shell.run(f"{command(host)} --port 443 --key {ssh_home}/other")
    key = ssh_home / "other"
    assert (ssh_home / "config").read_text() == (
        f"{block(host.user, key, 'altssh.bitbucket.org', 443)}\n{rest}"
    )
    host.authorize((ssh_home / "other.pub").read_text())
    shell.ok(command(host))
    assert "altssh.bitbucket.org\n    HostKeyAlias" in (ssh_home / "config").read_text()
    shell.ok(f"{command(host)} --port 22")
    assert (ssh_home / "config").read_text() == f"{block(host.user, key)}\n{rest}"
    assert shell.fails(f"{command(host)} --port 80") == "error: bitbucket.org is reached at port 22 or 443"


def test_a_host_that_never_answers(shell: Shell, ssh_home: Path) -> None:
    with silent_port() as port:
        config = ssh_home / "config"
        config.write_text(config.read_text() + proxied(NAMES, port))
        error = shell.fails("git cpv setup bitbucket -q")
    assert error == (
        "error: 'bitbucket.org' does not answer\n"
        "hint: check the network; where port 22 is closed: git cpv setup bitbucket --port 443"
    )


def test_a_host_that_is_not_there(shell: Shell, ssh_home: Path) -> None:
    assert shell.fails("git cpv setup bitbucket -q --host 127.0.0.1 --port 1").splitlines()[0] == (
        "error: '127.0.0.1' turns the connection away: "
        "ssh: connect to host 127.0.0.1 port 1: Connection refused"
    )


def test_another_host_needs_its_key_vouched_for(shell: Shell, ssh_server: SshServer, ssh_home: Path) -> None:
    host = f"git cpv setup bitbucket -q --host {ssh_server.user}@127.0.0.1 --port {ssh_server.port}"
    error = shell.fails(host)
    assert error == (
        f"error: nobody has vouched yet for the key that '127.0.0.1' shows: {ssh_server.fingerprint}\n"
        "hint: compare it with what the host's owner publishes, then: "
        f"git cpv setup bitbucket --host 127.0.0.1 --host-key {ssh_server.fingerprint}"
    )
    assert not (ssh_home / "known_hosts").exists()
    wrong = "SHA256:" + "A" * 43
    assert shell.fails(f"{host} --host-key {wrong}").splitlines()[0] == (
        f"error: '127.0.0.1' shows the key {ssh_server.fingerprint}, not {wrong}"
    )
    ssh_server.authorize((ssh_home / "id_ed25519.pub").read_text())
    shell.ok(f"{host} --host-key {ssh_server.fingerprint}")
    shell.ok(host)  # known by now
    assert not shell_config(ssh_home).exists()


def test_a_dry_run_changes_nothing(shell: Shell, host: SshServer, ssh_home: Path) -> None:
    before = {path: path.read_bytes() for path in ssh_home.iterdir()}
    assert shell.ok(f"{command(host)} -n --user ada@example.org") == (
        f"would make an SSH key: {ssh_home}/id_ed25519\n"
        f"would write the block for bitbucket.org to {ssh_home}/config\n"
        f"would pin the host key of bitbucket.org in {ssh_home}/known_hosts\n"
        "would store the user: ada@example.org"
    )
    assert {path: path.read_bytes() for path in ssh_home.iterdir()} == before


def test_the_users_own_files_stay(shell: Shell, host: SshServer, ssh_home: Path) -> None:
    """A configuration that is a link into dotfiles, a key without its public half, hosts that are known."""
    dotfiles = shell.cwd / "dotfiles"
    (ssh_home / "config").rename(dotfiles)
    (ssh_home / "config").symlink_to(dotfiles)
    key = ssh_home / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    private = key.read_bytes()
    public = (ssh_home / "id_ed25519.pub").read_text().rsplit(" ", 1)[0]
    (ssh_home / "id_ed25519.pub").unlink()
    (ssh_home / "known_hosts").write_text("elsewhere ssh-ed25519 AAAA")
    host.authorize(public)
    assert shell.ok(command(host)).startswith(public)
    assert (ssh_home / "config").is_symlink()
    assert dotfiles.read_text().startswith("# >>> git cpv setup")
    assert key.read_bytes() == private
    assert (ssh_home / "known_hosts").read_text().startswith("elsewhere ssh-ed25519 AAAA\nbitbucket.org ")


def test_a_key_that_others_may_read(shell: Shell, host: SshServer, ssh_home: Path) -> None:
    shell.run(command(host))
    host.authorize((ssh_home / "id_ed25519.pub").read_text())
    (ssh_home / "id_ed25519").chmod(0o644)
    assert shell.fails(f"{command(host)} -q") == (
        f"error: ssh does not use the key '{ssh_home}/id_ed25519': others may read it\n"
        f"hint: chmod 600 {ssh_home}/id_ed25519"
    )


def test_what_can_not_be_a_host_or_a_key(shell: Shell, ssh_home: Path) -> None:
    before = (ssh_home / "config").read_bytes()
    for words in (
        ["--host=-oProxyCommand=touch"],
        ["--host", "a b"],
        ["--host", "-x@bitbucket.org"],
        ["--host-key", "MD5:aa"],
        ["--key", f'{ssh_home}/a"b'],
        ["--key", f"{ssh_home}/a\nb"],
    ):
        result = shell.run(["git", "cpv", "setup", "bitbucket", "-q", "--no-check", *words])
        assert result.code in (128, 129), str(result)
    assert [path.name for path in ssh_home.iterdir()] == ["config"]
    assert (ssh_home / "config").read_bytes() == before


def test_a_home_that_ssh_does_not_go_by(shell: Shell, ssh_home: Path) -> None:
    error = shell.fails("unset GIT_SSH_COMMAND; git cpv setup bitbucket")
    assert error.startswith(f"error: HOME is '{ssh_home.parent}', and ssh would read '")
    assert shell.fails("GIT_SSH_COMMAND='plink -batch' git cpv setup bitbucket").startswith(
        "error: git uses 'plink' here, and only OpenSSH can be set up\n"
    )


def test_json(shell: Shell, host: SshServer, ssh_home: Path) -> None:
    result = shell.run(f"{command(host)} --json --workspace acme")
    facts = json.loads(result.out)["bitbucket"]
    assert [(check["id"], check["state"]) for check in facts["checks"]] == [
        ("ssh.key", "ok"),
        ("ssh.config", "ok"),
        ("ssh.host-key", "ok"),
        ("ssh.login", "failed"),
    ]
    assert (facts["ok"], facts["made_key"], facts["key_page"]) == (False, True, PAGE)
    assert facts["stored"] == {
        "bitbucket_ssh_keyfile": f"{ssh_home}/id_ed25519",
        "bitbucket_workspace": "acme",
    }
    assert result.code == 128


def test_a_token_is_no_users_name(shell: Shell, ssh_home: Path) -> None:
    error = shell.fails("git cpv setup bitbucket --user ATATT3xFfGF0secret")
    assert error == "error: the answer for bitbucket_user is a key or token, and nothing secret is stored"
    assert [path.name for path in ssh_home.iterdir()] == ["config"]


def test_what_is_set_up_is_proved_again(shell: Shell, host: SshServer, ssh_home: Path) -> None:
    """As the Python API and `doctor` do: nothing is changed, and each check has its name."""
    from cpvlib.managers.configuring import is_bitbucket_configured, validate

    def states() -> list[tuple[str, str]]:
        return [(check.id, check.state) for check in validate(aws=False).checks]

    assert states() == [("config.file", "ok"), ("ssh.login", "skipped")]
    shell.run(command(host))
    assert is_bitbucket_configured()
    files = {path: path.read_bytes() for path in ssh_home.iterdir()}
    proved = [("config.file", "ok"), ("ssh.key", "ok"), ("ssh.host-key", "ok")]
    assert states() == [*proved, ("ssh.login", "failed")]
    host.authorize((ssh_home / "id_ed25519.pub").read_text())
    assert states() == [*proved, ("ssh.login", "ok")]
    assert bool(validate(aws=False))
    assert {path: path.read_bytes() for path in ssh_home.iterdir()} == files
    shell_config(ssh_home).write_text("[]")
    assert states() == [("config.file", "failed")]

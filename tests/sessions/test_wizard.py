"""git cpv setup on a terminal: questions with reasons and defaults, and a way to leave and come back."""

from __future__ import annotations

import json
import re
from pathlib import Path

from servers.s3 import S3Server
from servers.sshd import SshServer
from shell import Shell
from terminal import Terminal

END = "\x04"


def setup(shell: Shell, *words: str, **env: str) -> Terminal:
    return Terminal(["git", "cpv", "setup", *words], shell.cwd, env)


def stored(home: Path) -> dict[str, str]:
    content: dict[str, str] = json.loads((home / ".config/cpv/config.json").read_text())
    return content


def write_profiles(home: Path, server: S3Server, *names: str) -> None:
    (home / ".aws").mkdir()
    keys = f"aws_access_key_id = {server.access_key}\naws_secret_access_key = {server.secret_key}\n"
    (home / ".aws/credentials").write_text("".join(f"[{name}]\n{keys}" for name in names))


def test_from_nothing(
    shell: Shell, sealed: Path, moto_server: S3Server, ssh_home: Path, ssh_server: SshServer
) -> None:
    write_profiles(sealed, moto_server, "one", "two")
    config = ssh_home / "config"
    names = ("bitbucket.org", "ssh.bitbucket.org", "altssh.bitbucket.org")
    config.write_text(config.read_text() + ssh_server.reached_as(*names))
    bucket = moto_server.new_bucket()
    words = ("--host", f"{ssh_server.user}@bitbucket.org", "--host-key", ssh_server.fingerprint)
    with setup(shell, *words, "--storage", f"s3://{bucket}") as terminal:
        terminal.wait_for("Ctrl-D leaves")
        terminal.wait_for(r"The file with your AWS keys.*\ncredentials file \[none\]: ")
        terminal.type("\n")
        terminal.wait_for(r"only its name is stored\.\nAWS profile \('one' and 'two'\) \[none\]: ")
        terminal.type("two\n")
        terminal.wait_for(r"region \[none\]: ")
        terminal.type("eu-x\n")
        terminal.wait_for(r"endpoint \[none\]: ")
        terminal.type("nonsense\n")
        terminal.wait_for("error: the endpoint is not a URL\nhint: write it as https")
        terminal.wait_for(r"endpoint \[none\]: ")
        terminal.type(f"{moto_server.endpoint}\n")
        terminal.wait_for(f"aws.bucket: s3://{bucket} answers")
        terminal.wait_for(r"never overwritten\.\nSSH key \[~/.ssh/id_ed25519\]: ")
        terminal.type(f"{ssh_home}/key\n")
        terminal.wait_for(r"is port 22 open to the internet here\? \[Y/n\]: ")
        terminal.type("perhaps\n")
        terminal.wait_for(r"\[Y/n\]: ")
        terminal.type("\n")
        terminal.wait_for(r"Bitbucket workspace \[none\]: ")
        terminal.type("acme\n")
        terminal.wait_for(r"email \[none\]: ")
        terminal.type("\n")
        terminal.wait_for(
            "paste this public key at https://bitbucket.org/account/settings/ssh-keys/\nssh-ed25519 "
        )
        terminal.wait_for("error: 'bitbucket.org' refuses the key")
        terminal.wait_for("Enter tries the login again")
        ssh_server.authorize((ssh_home / "key.pub").read_text())
        terminal.type("\n")
        terminal.wait_for("ssh.login: logged in to bitbucket.org")
        assert terminal.wait() == 0
    found = stored(sealed)
    assert found.pop("last_updated")
    assert found == {
        "storage": f"s3://{bucket}",
        "aws_profile": "two",
        "region": "eu-x",
        "endpoint": moto_server.endpoint,
        "bitbucket_ssh_keyfile": f"{ssh_home}/key",
        "bitbucket_workspace": "acme",
    }
    assert not (sealed / ".config/cpv/setup.json").exists()


def test_left_and_taken_up_again(shell: Shell, sealed: Path, moto_server: S3Server) -> None:
    write_profiles(sealed, moto_server, "only")
    bucket = moto_server.new_bucket()
    with setup(shell, "aws") as terminal:
        terminal.wait_for(r"storage \[none\]: ")
        terminal.type(f"s3://{bucket}\n")
        terminal.wait_for(r"credentials file \[none\]: ")
        terminal.type(END)
        terminal.wait_for("left; what was answered is kept\nhint: git cpv setup goes on from here")
        assert terminal.wait() == 1
    assert not (sealed / ".config/cpv/config.json").exists()
    with setup(shell, "aws", "--region", "x", "--endpoint", moto_server.endpoint) as terminal:
        terminal.wait_for(rf"storage \[s3://{bucket}\]: ")
        terminal.type("\n")
        terminal.wait_for(r"credentials file \[none\]: ")
        terminal.type("\n")
        terminal.wait_for(r"AWS profile \('only'\) \[only\]: ")
        terminal.type("\n")
        terminal.wait_for("stored in ")
        assert terminal.wait() == 0
    assert stored(sealed)["storage"] == f"s3://{bucket}"


def test_what_fails_is_asked_again(shell: Shell, sealed: Path, moto_server: S3Server) -> None:
    write_profiles(sealed, moto_server, "only")
    words = ("aws", "--region", "x", "--endpoint", moto_server.endpoint, "--profile", "only")
    with setup(shell, *words) as terminal:
        terminal.wait_for(r"storage \[none\]: ")
        terminal.type("s3://nowhere-to-be-found\n")
        terminal.wait_for("credentials file")
        terminal.type("\n")
        terminal.wait_for("error: bucket 'nowhere-to-be-found' does not exist")
        terminal.wait_for(r"Nothing of this was stored\.\ntry again with other answers\? \[Y/n\]: ")
        terminal.type("n\n")
        assert terminal.wait() == 128
    assert not (sealed / ".config/cpv/config.json").exists()


def test_a_host_key_is_asked_about(shell: Shell, ssh_home: Path, ssh_server: SshServer) -> None:
    words = ("bitbucket", "--host", f"{ssh_server.user}@127.0.0.1", "--port", str(ssh_server.port))
    more = ("--key", f"{ssh_home}/key", "--workspace", "w", "--user", "u@example.org")
    shell.run(["git", "cpv", "setup", *words, *more])
    ssh_server.authorize((ssh_home / "key.pub").read_text())
    with setup(shell, *words, *more) as terminal:
        terminal.wait_for("nobody has vouched for yet: " + re.escape(ssh_server.fingerprint))
        terminal.wait_for(r"is it the one that its owner publishes\? \[y/N\]: ")
        terminal.type("y\n")
        terminal.wait_for("ssh.login: logged in to 127.0.0.1")
        assert terminal.wait() == 0


def test_a_passphrase_is_between_the_user_and_ssh(
    shell: Shell, ssh_home: Path, ssh_server: SshServer
) -> None:
    words = ("bitbucket", "--host", f"{ssh_server.user}@127.0.0.1", "--port", str(ssh_server.port))
    more = ("--key", f"{ssh_home}/key", "--workspace", "w", "--user", "u@example.org", "--passphrase")
    with setup(shell, *words, *more, "--host-key", ssh_server.fingerprint) as terminal:
        terminal.wait_for(r"Enter passphrase.*: ")
        terminal.type("correct horse\n")
        terminal.wait_for(r"again: ")
        terminal.type("correct horse\n")
        terminal.wait_for("Enter tries the login again")
        ssh_server.authorize((ssh_home / "key.pub").read_text())
        terminal.type("\n")
        terminal.wait_for("Enter passphrase for key")
        terminal.type("correct horse\n")
        terminal.wait_for("logged in to 127.0.0.1")
        assert terminal.wait() == 0
    assert shell.fails(["git", "cpv", "setup", *words, *more], code=129).startswith(
        "error: a passphrase is asked for on a terminal, and there is none"
    )


def test_yes_asks_nothing_even_on_a_terminal(shell: Shell, sealed: Path) -> None:
    with setup(shell, "aws", "-y", "--no-check", "--profile", "p") as terminal:
        assert terminal.wait() == 0
    assert stored(sealed)["aws_profile"] == "p"

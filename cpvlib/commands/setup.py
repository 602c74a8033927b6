"""git cpv setup: stores once what every repository needs, and proves that it works."""

from __future__ import annotations

import os

from cpvlib.base.errors import DONE, CPVError, UsageError
from cpvlib.base.typed import TYPE_CHECKING, Any
from cpvlib.cli.options import DRY_RUN, OUTPUT, positive
from cpvlib.cli.record import Command, Complete, Example, Group, flag, operand, option
from cpvlib.domain.text import printable

if TYPE_CHECKING:
    from argparse import Namespace

    from cpvlib.cli.ui import UI
    from cpvlib.cli.wizard import Wizard
    from cpvlib.managers.configuring import BitbucketSetup, Checked

# The engine's names of the answers, each with its option's.
_AWS = {
    "credential_path": "credentials",
    "profile": "profile",
    "storage": "storage",
    "region": "region",
    "endpoint": "endpoint",
}
_BITBUCKET = {
    "keyfile": "key",
    "user": "user",
    "workspace": "workspace",
    "host": "host",
    "port": "port",
    "host_key": "host_key",
}


def run(args: Namespace, ui: UI) -> int:
    if args.show:
        return _show(ui)
    parts = _parts(args, ui)
    asks = ui.interactive and not (args.yes or args.dry_run or ui.json_wanted)
    wizard = _wizard(ui) if asks else None
    facts: dict[str, Any] = {}
    failed: CPVError | None = None
    for part in parts:
        if failed is None:
            facts[part], failed = (_aws if part == "aws" else _bitbucket)(args, ui, wizard)
    if ui.json_wanted:
        ui.json(facts)
    if failed:
        raise failed
    if wizard:
        wizard.finish()
    return DONE


def _parts(args: Namespace, ui: UI) -> list[str]:
    """What is to be set up. UsageError where that is not said and nobody is there to be asked."""
    given = {
        "aws": bool(_given(args, _AWS)) or args.local,
        "bitbucket": bool(_given(args, _BITBUCKET)) or args.passphrase,
    }
    if args.part:
        other = "bitbucket" if args.part == "aws" else "aws"
        if given[other]:
            raise UsageError(f"some of these options belong to 'git cpv setup {other}'")
        return [args.part]
    named = [part for part, is_given in given.items() if is_given]
    if named or (ui.interactive and not args.yes):
        return named or ["aws", "bitbucket"]
    raise UsageError(
        "nobody is there to be asked what to set up",
        hint="git cpv setup aws --profile NAME --storage s3://BUCKET, or git cpv setup bitbucket",
    )


def _given(args: Namespace, names: dict[str, str]) -> dict[str, Any]:
    values = {name: getattr(args, option) for name, option in names.items()}
    return {name: value for name, value in values.items() if value is not None}


def _wizard(ui: UI) -> Wizard:
    from cpvlib.cli.wizard import Wizard
    from cpvlib.stores.userconfig import config_path

    ui.say("Enter takes the answer in brackets, none takes it away. Ctrl-D leaves; come back any time.")
    return Wizard(ui, config_path(os.environ).with_name("setup.json"))


def _aws(args: Namespace, ui: UI, wizard: Wizard | None) -> tuple[dict[str, Any], CPVError | None]:
    from cpvlib.managers.configuring import setup_aws, variables

    typed = _given(args, _AWS)
    answers = {**variables("aws"), **typed}
    while True:
        if wizard:
            from cpvlib.cli.questions import ask_aws

            answers = ask_aws(wizard, answers, typed)
        done = setup_aws(**answers, check=not args.no_check, save=not args.dry_run, local=args.local)
        failed = _tell(done, ui)
        if failed is None or wizard is None:
            break
        wizard.show_error(failed)
        if not wizard.agree("try again with other answers?", "Nothing of this was stored."):
            break
    if failed is None and not ui.json_wanted:
        _tell_stored(done, ui, args)
    return done.facts(), failed


def _bitbucket(args: Namespace, ui: UI, wizard: Wizard | None) -> tuple[dict[str, Any], CPVError | None]:
    from cpvlib.managers.configuring import plan_bitbucket, setup_bitbucket, variables

    typed = _given(args, _BITBUCKET)
    answers = {**variables("bitbucket"), **typed}
    if args.dry_run:
        lines = plan_bitbucket(**answers)
        for line in [] if ui.json_wanted else lines or ["nothing is missing"]:
            ui.answer(f"would {line}" if lines else line)
        return {"would": lines}, None
    if wizard:
        from cpvlib.cli.questions import ask_bitbucket

        answers = ask_bitbucket(wizard, answers, typed)
        answers["confirm"] = _confirm(wizard)
    may_ask = ui.interactive and not args.yes
    if args.passphrase and not may_ask:
        raise UsageError("a passphrase is asked for on a terminal, and there is none")
    while True:
        done = setup_bitbucket(
            **answers, passphrase=args.passphrase, may_ask=may_ask, check=not args.no_check
        )
        failed = _tell(done, ui)
        if not ui.json_wanted and done.public_key:
            _tell_key(done, ui, wizard)
        if failed is None or wizard is None or not done.public_key:
            break
        wizard.show_error(failed)
        wizard.wait("\nEnter tries the login again, once the key is pasted (Ctrl-D leaves): ")
    if not ui.json_wanted and done.public_key:
        ui.answer(printable(done.public_key))
    made = {"public_key": done.public_key, "key_page": done.key_page, "key": str(done.key)}
    return {**done.facts(), **made, "made_key": done.made_key}, failed


def _confirm(wizard: Wizard) -> Any:
    def confirm(host: str, fingerprint: str) -> bool:
        why = f"'{host}' shows a key that nobody has vouched for yet: {fingerprint}"
        return wizard.agree("is it the one that its owner publishes?", why, default=False)

    return confirm


def _tell(done: Checked, ui: UI) -> CPVError | None:
    """Says what was checked; the error of what failed."""
    if done.kept_aside:
        ui.warn(f"the damaged config.json is kept as '{printable(str(done.kept_aside))}'")
    for check in done.checks:
        if check.state == "warning":
            ui.warn(printable(check.finding))
        elif check.state == "ok":
            ui.say(f"{check.id}: {printable(check.finding)}")
        elif check.state == "skipped":
            ui.detail(f"{check.id}: skipped, {printable(check.finding)}")
    return next((check.error for check in done.checks if check.error), None)


def _tell_stored(done: Checked, ui: UI, args: Namespace) -> None:
    from cpvlib.stores.userconfig import config_path

    if args.dry_run:
        ui.answer("would store these answers")
    elif args.local:
        ui.answer("stored for this repository")
    elif done.stored:
        ui.answer(f"stored in {printable(str(config_path(os.environ)))}: {', '.join(sorted(done.stored))}")
    else:
        ui.answer("nothing new to store")


def _tell_key(done: BitbucketSetup, ui: UI, wizard: Wizard | None) -> None:
    if done.backup:
        ui.say(f"the ssh configuration as it was: {printable(str(done.backup))}")
    if done.made_key or not done:
        ui.say(f"paste this public key at {printable(done.key_page)}")
        if wizard:
            ui.say(printable(done.public_key))


def _show(ui: UI) -> int:
    from cpvlib.managers.configuring import show, user_settings
    from cpvlib.stores.userconfig import config_path

    path = config_path(os.environ)
    rows = show(user_settings())
    if ui.json_wanted:
        settings = {row.key: {"value": row.value, "origin": row.origin} for row in rows}
        ui.json({"config_file": str(path), "config_file_exists": path.exists(), "settings": settings})
        return DONE
    ui.table([(row.key, printable(row.value or "-"), printable(row.origin)) for row in rows])
    ui.say(f"config.json: {printable(str(path))}" + ("" if path.exists() else " (not there yet)"))
    return DONE


COMMAND = Command(
    name="setup",
    summary="Set up the storage and the git host, once",
    group=Group.START,
    description=(
        "Asks for what every repository needs, proves that it works, and stores it in `config.json`:"
        " paths and names, never a secret. Each question has a default, and whoever leaves in the middle"
        " goes on from there. Without a terminal nothing is asked: every answer is an option, a `CPV_*`"
        " variable, or what was stored before. An empty answer takes the stored one away.\n\n"
        "`git cpv setup aws` is about the storage. It checks that the profile is there, that it can"
        " sign in (with keys, session tokens, SSO or an assumed role, as the AWS tools do), and that the"
        " bucket answers; only then it stores. With `--local` the answers hold for the repository you"
        " are in alone, and DVC obeys them too.\n\n"
        "`git cpv setup bitbucket` is about SSH. It makes an ed25519 key where there is none, writes"
        " one block to ssh's configuration (the file as it was is kept beside it), pins the keys that"
        " Bitbucket publishes for its hosts, prints your public key, and tests the login. Remotes that"
        " begin with `git@bitbucket.org:` go on working: the block leads them to `ssh.bitbucket.org`, or"
        " with `--port 443` to `altssh.bitbucket.org`. Another git host is named by `--host`, and needs"
        " this only if you want its key managed here.\n\n"
        "`git cpv setup --show` prints every setting with the place that decides it. Stronger first:"
        " option, variable, git's configuration, `.cpvconfig`, `config.json`, default."
    ),
    arguments=(
        operand(
            "part",
            metavar="PART",
            nargs="?",
            choices=("aws", "bitbucket"),
            help="`aws` or `bitbucket`; both where neither is named",
        ),
        flag("--show", help="print every setting and where it comes from, and change nothing"),
        option("--profile", metavar="NAME", help="the AWS profile that signs in"),
        option("--credentials", metavar="FILE", help="the file of AWS keys to read", complete=Complete.FILE),
        option(
            "--storage",
            metavar="ROOT",
            help="keep objects under `s3://BUCKET[/PREFIX]` or a folder",
            complete=Complete.FOLDER,
        ),
        option("--region", metavar="REGION", help="the bucket's region"),
        option("--endpoint", metavar="URL", help="the server, where S3 is not Amazon's"),
        flag("--local", help="store the answers for this repository only"),
        option("--key", metavar="FILE", help="the SSH key to use, or to make", complete=Complete.FILE),
        flag("--passphrase", help="let ssh-keygen ask for a passphrase for the key it makes"),
        option(
            "--port",
            metavar="PORT",
            type=positive,
            help="the port of the git host; for Bitbucket 443, where 22 is closed",
        ),
        option("--host", metavar="[USER@]HOST", help="another git host than `git@bitbucket.org`"),
        option("--host-key", metavar="FINGERPRINT", help="the host key to accept, as `SHA256:…`"),
        option("--user", metavar="EMAIL", help="the Atlassian account that API tokens belong to"),
        option("--workspace", metavar="NAME", help="the Bitbucket workspace for `git cpv init --create`"),
        flag("--no-check", help="store without asking the network"),
        flag("-y", "--yes", help="ask nothing; take what is there"),
        DRY_RUN,
        *OUTPUT,
    ),
    examples=(
        Example("Answer a few questions", "git cpv setup"),
        Example(
            "Say everything at once",
            "git cpv setup aws --profile work --storage s3://checkpoints --region eu-central-1",
        ),
        Example("Make an SSH key, and put it where it can be pasted", "git cpv setup bitbucket | xclip"),
        Example("Use another profile in this repository", "git cpv setup aws --local --profile other"),
        Example("See which setting comes from where", "git cpv setup --show"),
    ),
    see_also=("init", "storage", "ssh-keygen(1)", "ssh_config(5)"),
    files=(
        ("~/.ssh/config", "ssh's configuration, with a block of ours for the git host"),
        ("~/.ssh/known_hosts", "the host keys that ssh accepts"),
    ),
    environment=(("GIT_SSH_COMMAND", "the ssh to set up, with the configuration file that its `-F` names"),),
    run=run,
)

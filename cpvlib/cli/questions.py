"""What `git cpv setup` asks on a terminal, and why."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cpvlib.base.typed import TYPE_CHECKING, Any
from cpvlib.domain.text import listed

if TYPE_CHECKING:
    from cpvlib.cli.wizard import Wizard

# Name of the answer, question, why.
_S3 = (
    ("profile", "AWS profile", "Who you are to S3 is a profile in AWS's own files; only its name is stored."),
    ("region", "region", "Where the bucket is; most endpoints of your own have none."),
    ("endpoint", "endpoint", "The server, for S3 that is not Amazon's: https://host[:port]."),
)
_BITBUCKET = (
    ("workspace", "Bitbucket workspace", "Where 'git cpv init --create' makes repositories."),
    ("user", "Atlassian account's email", "Whose API token it is; the token itself is never stored."),
)


def ask_aws(wizard: Wizard, given: Mapping[str, str], fixed: Collection[str]) -> dict[str, str]:
    """The answers for S3, beginning with `given`; those in `fixed` were options, and are not asked for."""
    from cpvlib.managers.configuring import answered, user_settings
    from cpvlib.managers.signin import check_endpoint, found_profiles

    settings = user_settings(user=answered())
    answers = dict(given)

    def ask(name: str, key: str, question: str, why: str, check: object = None) -> None:
        if name not in fixed:
            default = answers.get(name) or settings.value(key)
            answer = wizard.ask(name, question, why, default, check if callable(check) else None)
            answers.update({name: answer} if answer is not None else {})

    ask(
        "storage",
        "cpv.storage",
        "storage",
        "Where the bytes of all models are kept: s3://BUCKET[/PREFIX], or a folder of this machine.",
        lambda text: user_settings({"cpv.storage": text}).storage_root,
    )
    if answers.get("storage") and not answers["storage"].startswith("s3://"):
        return answers
    ask(
        "credential_path",
        "cpv.awsCredentialPath",
        "credentials file",
        "The file with your AWS keys; none is AWS's own place, ~/.aws/credentials.",
    )
    profiles = found_profiles(settings, answers.get("credential_path"))
    for name, question, why in _S3:
        if name == "profile" and profiles:
            question, default = f"{question} ({listed(profiles, limit=9)})", profiles[0]
            if len(profiles) == 1 and not settings.value("cpv.awsProfile"):
                answers.setdefault(name, default)
        check = check_endpoint if name == "endpoint" else None
        ask(name, "cpv.awsProfile" if name == "profile" else f"cpv.{name}", question, why, check)
    return answers


def ask_bitbucket(wizard: Wizard, given: Mapping[str, Any], fixed: Collection[str]) -> dict[str, Any]:
    """The answers for the git host."""
    from cpvlib.managers.configuring import answered, user_settings

    settings = user_settings(user=answered())
    answers = dict(given)
    if "keyfile" not in fixed:
        answer = wizard.ask(
            "keyfile",
            "SSH key",
            "The key that the git host knows you by; it is made where there is none, and never overwritten.",
            answers.get("keyfile") or settings.value("cpv.bitbucketKeyfile") or "~/.ssh/id_ed25519",
        )
        answers["keyfile"] = answer or "~/.ssh/id_ed25519"
    if "port" not in fixed and not wizard.agree(
        "is port 22 open to the internet here?", "Some networks close it; then SSH goes through port 443."
    ):
        answers["port"] = 443
    for name, question, why in _BITBUCKET:
        if name not in fixed:
            key = "cpv.bitbucketWorkspace" if name == "workspace" else "cpv.bitbucketUser"
            answer = wizard.ask(name, question, why, answers.get(name) or settings.value(key))
            answers.update({name: answer} if answer is not None else {})
    return answers

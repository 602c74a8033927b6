"""What every manual page says: exit codes, variables, files, settings; each once, here."""

from __future__ import annotations

from cpvlib.base.errors import DONE, FAILED, INTERRUPTED, USAGE

OVERVIEW = """\
CPV, checkpoints versioning, gives a team that trains models one habit: `git cpv push` after a training, \
`git cpv tag` for what deserves a name, `git cpv revert` when it turns out worse. Git holds the history, \
DVC's pointer format holds the names, and S3 or a plain folder holds the bytes.

`git cpv X` and `git-cpv-X` are the same program. Every CPV repository is a DVC repository too.

git-cpv(7) is a tutorial.

A VERSION is what you type for a checkpoint: a version such as `v1.2`, `latest`, or any git revision. Model \
versions are the annotated tags `v1.2`, data versions the tags `data/v1.2`; type `v1.2` for both, with \
`--data` for the latter."""

RELEASED = "2026-11-23"
"""When this version's pages were made: mandoc wants a date, and the pages must not change by the day."""

EXIT_STATUS = (
    (DONE, "Done."),
    (FAILED, "Failed; one `error:` line says why, and a `hint:` line what to type."),
    (USAGE, "Wrong usage."),
    (INTERRUPTED, "Interrupted by Ctrl-C."),
)

ENVIRONMENT = (
    ("CPV_CONFIG_DIR", "The folder of the user's `config.json`."),
    ("CPV_STORAGE", "The root under which storage is kept: `s3://bucket[/prefix]` or a folder."),
    ("CPV_TEAM, CPV_MODEL, CPV_REMOTE, CPV_JOBS, ...", "Settings for one call; git-cpv(1) lists them."),
    ("AWS_PROFILE, AWS_ACCESS_KEY_ID, ...", "Credentials for S3, as in the AWS tools."),
    (
        "GIT_PAGER, PAGER, NO_COLOR",
        "How long answers are shown on a terminal; git's `color.ui` and `core.pager` count too.",
    ),
)

FILES = (
    (".cpvconfig", "Team, model and outs of the repository, committed, in git's config syntax."),
    ("*.dvc", "The pointers: for each out the md5 and size of what it holds, in DVC's format."),
    ("checkpoint.json", "Metrics, parameters, code and data version of the checkpoint, committed."),
    ("metrics.log", "The history of metrics, a JSON object a line."),
    (".dvc/config, .dvc/config.local", "Where storage is; the latter stays on this machine."),
    (".dvc/cache", "Objects kept on this machine."),
    ("config.json", "The user's own settings, in the user's config folder (often `~/.config/cpv`)."),
)

SHARED_OPTIONS = (
    ("--model, --data, --combined", "Choose the series: the model's side, the data's, or both together."),
    ("-n, --dry-run", "Check everything, say what would be done, and change nothing."),
    ("-f, --force", "Do what is otherwise refused, as each page says. Never moves a ref of a git remote."),
    ("-v, --verbose", "Say more."),
    ("-q, --quiet", "Say nothing but the answer and errors."),
    ("--json", "Print the answer as one JSON object; its `schema` number only grows."),
    ("-j, --jobs COUNT", "How many transfers or files to work on at once."),
    ("-h", "Print a short help."),
    ("--help", "Open the manual page."),
)

PRECEDENCE = """\
A setting is taken from the first place that has it: an option, a variable, `git config`, the repository's \
`.cpvconfig` (which may set only team, model, outs, tag prefix, autotag, metric goals, and that versions \
must be signed), the user's `config.json`, the default."""

CONFIGURATION = (
    ("cpv.team", "The team's name. Variable: `CPV_TEAM`."),
    ("cpv.model", "The model's name. Variable: `CPV_MODEL`."),
    (
        "cpv.tagPrefix",
        "What stands before every version's tag. Variable: `CPV_TAG_PREFIX`. Default: nothing.",
    ),
    (
        "cpv.requireSigned",
        "Whether only versions that somebody whom git trusts here has signed may come: see git-cpv-tag(1). "
        "Variable: `CPV_REQUIRE_SIGNED`. Default: `false`.",
    ),
    (
        "cpv.remote",
        "The git remote, where the branch has no upstream. Variable: `CPV_REMOTE`. Default: `origin`.",
    ),
    ("cpv.cache", "How push snapshots: `auto`, `copy` or `none`. Variable: `CPV_CACHE`. Default: `auto`."),
    (
        "cpv.link",
        "How pull and revert bring files from the cache: `copy`, `hardlink` or `symlink`. "
        "Variable: `CPV_LINK`. Default: `copy`.",
    ),
    ("cpv.storage", "The root under which storage is kept. Variable: `CPV_STORAGE`."),
    (
        "cpv.storageShared",
        "Whether a storage folder is on a filesystem that the others see too. "
        "Variable: `CPV_STORAGE_SHARED`. Default: `false`.",
    ),
    ("cpv.jobs", "How many transfers or files to work on at once. Variable: `CPV_JOBS`."),
    (
        "cpv.limitRate",
        "Bytes a second that all transfers together move at most: `500k`, `10M`, `1.5G`. "
        "Variable: `CPV_LIMIT_RATE`.",
    ),
    (
        "cpv.engine",
        "What talks to S3: `auto` is obstore where it obeys the storage's settings and boto3 for the rest, "
        "`boto3` that alone. Variable: `CPV_ENGINE`. Default: `auto`.",
    ),
    ("cpv.awsProfile", "The profile in the AWS credentials. Variables: `CPV_AWS_PROFILE`, `AWS_PROFILE`."),
    (
        "cpv.awsCredentialPath",
        "The AWS credentials file. Variables: `CPV_AWS_CREDENTIAL_PATH`, `AWS_SHARED_CREDENTIALS_FILE`.",
    ),
    ("cpv.region", "The S3 region. Variables: `CPV_REGION`, `AWS_REGION`, `AWS_DEFAULT_REGION`."),
    (
        "cpv.endpoint",
        "The S3 server, where it is not Amazon's. "
        "Variables: `CPV_ENDPOINT`, `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`.",
    ),
    ("cpv.metric.<name>.goal", "Which way the metric is better: `min` or `max`."),
)

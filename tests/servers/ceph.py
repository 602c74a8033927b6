"""Ceph's object gateway on loopback: one monitor, one OSD that keeps objects in memory, one gateway.

A real S3 server: it checks signatures (a wrong secret gets 403) and Content-MD5, enforces bucket policies,
knows versioning. From Debian's packages:

    apt-get install -y --no-install-recommends radosgw ceph-mon ceph-osd ceph-common

To have one at hand: `python tests/servers/ceph.py DIR`; it runs until Ctrl-C.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import uuid
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from servers.processes import free_port, launch, stop_all, wait_for_port, wait_until

ACCESS_KEY, SECRET_KEY = "cpvkey", "cpvsecret"
MEMBER_KEY, MEMBER_SECRET = "memberkey", "membersecret"
MEMBER = "arn:aws:iam:::user/member"  # a second user, who may do what a bucket's policy says
INSTALL = "apt-get install -y --no-install-recommends radosgw ceph-mon ceph-osd ceph-common"
_PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "monmaptool", "radosgw-admin", "ceph")

_CONF = """\
[global]
fsid = {fsid}
mon host = [v1:127.0.0.1:{mon_port}]
public addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd crush update on start = false
osd class update on start = false
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 1
mon data avail warn = 2
run dir = {folder}
admin socket = {folder}/$name.asok
log file = {folder}/$name.log
ms bind ipv6 = false
[mon.a]
mon data = {folder}/mon
[osd.0]
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 6442450944
osd max object name len = 256
osd max object namespace len = 64
[client.rgw.cpv]
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw data = {folder}/rgw
rgw dynamic resharding = false
rgw enable usage log = false
rgw enable ops log = false
rgw crypt require ssl = false
rgw override bucket index max shards = 1
"""


def missing() -> list[str]:
    """The programs that are not installed."""
    return [program for program in _PROGRAMS if shutil.which(program) is None]


def start(folder: Path) -> str:
    """The endpoint of a new cluster in `folder`, about 15 s later."""
    port, mon_port = free_port(), free_port()
    fsid, osd = str(uuid.uuid4()), str(uuid.uuid4())
    conf = folder / "ceph.conf"
    conf.write_text(_CONF.format(folder=folder, fsid=fsid, port=port, mon_port=mon_port))
    for name in ("mon", "osd", "rgw"):
        (folder / name).mkdir()

    # `ceph` asks whether its stdin is a terminal, and fails where this process has none to hand on.
    nothing = subprocess.DEVNULL

    def done(*command: str) -> bool:
        words = [*command, "-c", str(conf)]
        with (folder / "setup.log").open("ab") as log:
            return subprocess.run(words, stdin=nothing, stdout=log, stderr=log, timeout=300).returncode == 0

    def output(*command: str) -> str:
        words = [*command, "-c", str(conf)]
        return subprocess.run(words, stdin=nothing, capture_output=True, text=True, timeout=300).stdout

    def do(*command: str) -> None:
        """Again until it succeeds: a monitor that is not through its election yet refuses."""
        wait_until(lambda: done(*command), command[0], folder)

    do(
        "monmaptool",
        "--create",
        "--fsid",
        fsid,
        "--addv",
        "a",
        f"[v1:127.0.0.1:{mon_port}]",
        str(folder / "monmap"),
    )
    do("ceph-mon", "-i", "a", "--mkfs", "--monmap", str(folder / "monmap"))
    launch(folder, "mon", ["ceph-mon", "-i", "a", "-f", "-c", str(conf)])
    do("ceph", "osd", "new", osd, "0")
    do("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
    do("ceph", "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=lab")
    launch(folder, "osd", ["ceph-osd", "-i", "0", "-f", "-c", str(conf)])
    admin = ["radosgw-admin", "-n", "client.rgw.cpv", "user", "create"]
    wait_until(lambda: "1 up" in output("ceph", "osd", "stat"), "the OSD", folder)
    for uid, key, secret in (("cpv", ACCESS_KEY, SECRET_KEY), ("member", MEMBER_KEY, MEMBER_SECRET)):
        do(*admin, f"--uid={uid}", f"--display-name={uid}", f"--access-key={key}", f"--secret-key={secret}")
    launch(folder, "rgw", ["radosgw", "-n", "client.rgw.cpv", "-f", "-c", str(conf)])
    wait_for_port(port, folder)
    return f"http://127.0.0.1:{port}"


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        sys.stdout.write(f"endpoint {start(folder)} access key {ACCESS_KEY} secret {SECRET_KEY}\n")
        sys.stdout.flush()
        wait_until(lambda: False, "Ctrl-C", folder, timeout_s=1e9)
    except KeyboardInterrupt:
        pass
    finally:
        stop_all(folder)


if __name__ == "__main__":
    main()

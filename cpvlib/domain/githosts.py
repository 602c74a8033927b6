"""What a git host publishes of itself, for the hosts that CPV knows by name."""

from __future__ import annotations

from collections.abc import Mapping

from cpvlib.base.values import dataclass, field

BITBUCKET = "bitbucket.org"


@dataclass(frozen=True)
class GitHost:
    """`names` are those a URL may have; `ways`: the name and port at which it is reached, by the port asked
    for, the first one usually. `host_keys` are lines of known_hosts without the names.
    """

    names: tuple[str, ...]
    key_page: str
    ways: Mapping[int, tuple[str, int]] = field(default_factory=dict)
    host_keys: tuple[str, ...] = ()

    @property
    def known_hosts(self) -> list[str]:
        """Lines that make it known under each name and port."""
        at = dict(self.ways.values())
        names = [name if at.get(name, 22) == 22 else f"[{name}]:{at[name]}" for name in self.names]
        return [f"{','.join(names)} {key}" for key in self.host_keys]


def git_host(name: str) -> GitHost:
    """What is known of the host of this name; of most, nothing but the name."""
    return _KNOWN.get(name) or GitHost((name,), f"the SSH keys of your account on {name}")


_KNOWN = {
    # From 12 November 2026 on bitbucket.org itself takes HTTPS only, and SSH goes to ssh.bitbucket.org
    # (Atlassian Community, "Upcoming change to Bitbucket Cloud SSH access"). Where port 22 is closed: altssh,
    # at 443. The keys are those of https://bitbucket.org/site/ssh, with the fingerprints that Atlassian's
    # "Configure SSH and two-step verification" names:
    # SHA256:ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM, SHA256:FC73VB6C4OQLSCrjEayhMp9UMxS97caD/Yyi2bhW/J0,
    # SHA256:46OSHA1Rmj8E8ERTC6xkNcmGOw9oFxYr0WF6zWW8l1E.
    BITBUCKET: GitHost(
        names=(BITBUCKET, "ssh.bitbucket.org", "altssh.bitbucket.org"),
        key_page="https://bitbucket.org/account/settings/ssh-keys/",
        ways={22: ("ssh.bitbucket.org", 22), 443: ("altssh.bitbucket.org", 443)},
        host_keys=(
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIazEu89wgQZ4bqs3d63QSMzYVa0MuJ2e2gKTKqu+UUO",
            "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBPIQmuzMBuKdWeF4"
            "+a2sjSSpBK0iqitSQ+5BM9KhpexuGt20JpTVM7u5BDZngncgrqDMbWdxMWWOGtZ9UgbqgZE=",
            "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQDQeJzhupRu0u0cdegZIa8e86EG2qOCsIsD1Xw0xSeiPDlCr7kq"
            "97NLmMbpKTX6Esc30NuoqEEHCuc7yWtwp8dI76EEEB1VqY9QJq6vk+aySyboD5QF61I/1WeTwu+deCbgKMGbUije"
            "XhtfbxSxm6JwGrXrhBdofTsbKRUsrN1WoNgUa8uqN1Vx6WAJw1JHPhglEGGHea6QICwJOAr/6mrui/oB7pkaWKHj"
            "3z7d1IC4KWLtY47elvjbaTlkN04Kc/5LFEirorGYVbt15kAUlqGM65pk6ZBxtaO3+30LVlORZkxOh+LKL/BvbZ/i"
            "RNhItLqNyieoQj/uh/7Iv4uyH/cV/0b4WDSd3DptigWq84lJubb9t/DnZlrJazxyDCulTmKdOR7vs9gMTo+uoIrP"
            "Sb8ScTtvw65+odKAlBj59dhnVp9zd7QUojOpXlL62Aw56U4oO+FALuevvMjiWeavKhJqlR7i5n9srYcrNV7ttmDw"
            "7kf/97P5zauIhxcjX+xHv4M=",
        ),
    )
}

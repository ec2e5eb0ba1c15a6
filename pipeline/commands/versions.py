"""`graft versions` and `graft verify`."""

import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.filesize import decimal
from rich.table import Column, Table

from components import destinations, served_versions
from components.errors import UserError
from components.served_versions import Version
from pipeline.config import load_recipe
from pipeline.console import make_console, plain, say, say_json
from pipeline.evidence import Evidence, read_evidence
from pipeline.gates_table import gates_table

# Of a gate's row: what its message tells too, or its own key.
_IN_MESSAGE = ("name", "value", "interval", "pictures")


def list_versions(config: str, overrides: list[str], as_json: bool) -> None:
    """Prints the served versions of a recipe's model, newest first.

    Raises:
        UserError: the recipe cannot be used, or a record of a push is damaged.
    """
    destination = load_recipe(config, overrides).push_destination
    versions = destinations.list_versions(destination)[::-1]
    console = make_console()
    if as_json:
        say_json(console, [_row(version) for version in versions])
        return
    if versions:
        title = plain(destination)
        table = Table("version", "pushed", "size", "", title=title, title_justify="left")
        for version in versions:
            table.add_row(
                version.name,
                _time(version.pushed_at),
                decimal(version.size_bytes),
                _remark(version),
            )
        console.print(table)
    else:
        say(console, f"Nothing is served at {destination} yet")
    if destinations.is_bucket(destination):
        return
    for name in served_versions.misnamed_versions(destination):
        say(
            console,
            f"{destination / name} is no version: servers cannot read its number",
        )


def show_version(config: str, overrides: list[str], name: str | None, as_json: bool) -> None:
    """Prints what is known of a version: when it was pushed, from what, and what its gates said.

    Raises:
        UserError: there is no such version, or its evidence is damaged.
    """
    destination = load_recipe(config, overrides).push_destination
    version = _removed(destination, name) or destinations.find_version(destination, name)
    evidence = read_evidence(destination, version.name)
    console = make_console()
    if as_json:
        say_json(console, _row(version) | evidence.as_json())
        return
    say(console, str(version.path))
    table = Table("", Column(overflow="fold"), show_header=False)
    for key, value in _summary(version, evidence):
        table.add_row(key, plain(value))
    console.print(table)
    if evidence.gates:
        console.print(gates_table(evidence.gates))
    if not evidence.provenance:
        say(console, "It was pushed by an earlier release: nothing more is known of it")


def diff_versions(
    config: str, overrides: list[str], first: str, second: str, as_json: bool
) -> None:
    """Prints in what two versions differ: settings, inputs, code, libraries and what gates found.

    Raises:
        UserError: one of them was never pushed, or its evidence is damaged.
    """
    destination = load_recipe(config, overrides).push_destination
    facts = []
    for name in (first, second):
        if destinations.read_push_record(destination, name) is None:
            destinations.find_version(destination, name)
            raise UserError(f"version {name} was pushed by an earlier release: it has no evidence")
        facts.append(dict(_flat(read_evidence(destination, name).as_json())))
    keys = [key for key in {**facts[0], **facts[1]} if facts[0].get(key) != facts[1].get(key)]
    console = make_console()
    if as_json:
        rows = {key: [of.get(key) for of in facts] for key in keys}
        say_json(console, rows)
        return
    if not keys:
        say(console, f"Versions {first} and {second} differ in nothing that is known of them")
        return
    table = Table("", first, second)
    for key in keys:
        of_gate, _, field = key.rpartition(".")
        if of_gate.startswith("gates.") and field in _IN_MESSAGE:
            continue
        table.add_row(plain(key), *(plain(of.get(key, "–")) for of in facts))
    console.print(table)


def roll_back(config: str, overrides: list[str], name: str | None, reason: str) -> None:
    """Serves an older version again, under a new number.

    Args:
        config: name or path of the recipe.
        overrides: `key=value`, see `load_recipe`.
        name: of the version; None: the newest before what is served that holds another model, and
            one that no rollback has taken back.
        reason: why, for those who ask later.

    Raises:
        UserError: there is no such version, it is damaged, or it is what is served.
    """
    from components.pusher import bucket_push, push

    recipe = load_recipe(config, overrides)
    destination = recipe.push_destination
    champion = destinations.find_version(destination)
    if name is None:
        before = destinations.version_before(destination)
        if before is None:
            back = destinations.taken_back(destination)
            but = ": the others were taken back, and have to be named" if back else ""
            raise UserError(
                f"{destination} has no version before {champion.name} to go back to{but}"
            )
        name = before.name
    key = recipe.push.sign.key if recipe.push.sign else ""
    in_bucket = destinations.is_bucket(destination)
    republish = bucket_push.republish if in_bucket else push.republish
    version = Path(republish(destination, name, reason, key)).name
    say(
        make_console(),
        f"Version {version} is served: it is version {name} again, in place of {champion.name}",
    )


def prune_versions(config: str, overrides: list[str], keep: int) -> None:
    """Removes all versions but the newest ones.

    Raises:
        UserError: fewer than one would stay.
    """
    from components.pusher.prune import prune

    destination = load_recipe(config, overrides).push_destination
    destinations.refuse_bucket(
        destination, "graft versions prune", "remove PREFIX/NUMBER in it, but never the served one"
    )
    removed = prune(destination, keep)
    size = decimal(sum(version.size_bytes for version in removed))
    names = ", ".join(version.name for version in removed)
    what = f"Removed {names}: {size}. Their evidence stays" if removed else "Nothing to remove"
    say(make_console(), f"{destination}: {what}")


def verify(config: str, overrides: list[str], name: str | None, key: Path | None) -> None:
    """Compares the files of a version and of its evidence with the record of its push.

    Args:
        config: name or path of the recipe.
        overrides: `key=value`, see `load_recipe`.
        name: of the version; None: the one that is served.
        key: the public key with which it must be signed; None: that of `push.sign.key`, and
            without that no signature is asked for.

    Raises:
        UserError: a file is not what it was, or not what was signed; the text names it.
    """
    from components.pusher import signing

    recipe = load_recipe(config, overrides)
    destination, by = recipe.push_destination, ""
    version = destinations.find_version(destination, name)
    with _copies(destination, version) as (copy, evidence):
        count = _check_record(copy, evidence)
        if key or recipe.push.sign:
            sign = recipe.push.sign
            public = signing.read_public_key(key) if key else signing.public_key(sign.key)
            signing.check_signatures(copy.path, evidence, public)
            by = f", signed with the key of {key or sign.key}"
        elif signing.is_signed(evidence):
            by = "; they are signed, which --key checks"
    say(make_console(), f"{version.path}: all {count} files are those that were pushed{by}")


@contextlib.contextmanager
def _copies(destination: Path | str, version: Version) -> Iterator[tuple[Version, Path]]:
    """A version with its files on this machine, and its evidence; errors name the originals."""
    with (
        destinations.open_version(destination, version) as copy,
        destinations.open_evidence(destination, version.name) as evidence,
    ):
        try:
            yield copy, evidence
        except UserError as error:
            place = destinations.place_of(destination, served_versions.EVIDENCE)
            said = str(error).replace(str(evidence), f"{place}/{version.name}")
            raise UserError(said.replace(str(copy.path), str(version.path))) from error


def _check_record(version: Version, evidence: Path) -> int:
    """Compares a version with the record of its push; gives the number of files."""
    record = version.record
    if record is None:
        raise UserError(f"{version.path} has no record of its push: nothing proves what it was")
    if damage := served_versions.find_change(version):
        raise UserError(f"{version.path}: {damage}")
    found = served_versions.evidence_digests(evidence)
    for file, digest in record.evidence.items():
        if found.get(file) != digest:
            raise UserError(
                f"{evidence / file} is not as it was when version {version.name} was pushed"
            )
    return len(record.sizes) + len(record.evidence)


def _removed(destination: Path | str, name: str | None) -> Version | None:
    """A version of which only the evidence is left, as `prune_versions` leaves it."""
    record = destinations.read_push_record(destination, name) if name else None
    if not record or any(one.name == name for one in destinations.list_versions(destination)):
        return None
    return Version(name, destinations.place_of(destination, name), False, 0, record)


def _row(version: Version) -> dict[str, Any]:
    return {
        "version": version.name,
        "path": str(version.path),
        "pushed_at": version.pushed_at.isoformat() if version.pushed_at else None,
        "served": version.is_champion,
        "size_bytes": version.size_bytes,
    }


def _time(time: datetime | None) -> str:
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}" if time else "not known"


def _remark(version: Version) -> str:
    words = ["served"] if version.is_champion else []
    if version.record and version.record.republished:
        words.append(f"{version.record.republished} again")
    return ", ".join(words)


def _summary(version: Version, evidence: Evidence) -> Iterator[tuple[str, object]]:
    yield "pushed", _time(version.pushed_at)
    yield "size", decimal(version.size_bytes)
    yield "served", "yes" if version.is_champion else "no" if version.size_bytes else "no: removed"
    record, provenance = evidence.record, evidence.provenance
    if record:
        yield "digest", record.digest
        if record.republished:
            yield "rollback", f"version {record.republished} again; {record.reason or 'no reason'}"
    if provenance:
        yield "recipe", provenance["recipe"]["name"]
        yield "source", provenance["recipe"]["data"]["source"]
        versions = provenance["versions"]
        yield "made by", ", ".join(f"{name} {number}" for name, number in versions.items())
        git = provenance["git"]
        if git:
            yield "git", git["revision"] + (", with changes" if git["dirty"] else "")
    yield from _sureness(evidence.calibration)


def _sureness(calibration: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the model was taught to say of how sure it is."""
    if temperature := calibration.get("temperature"):
        yield "temperature", f"{temperature:.3f}"
    if abstention := calibration.get("abstention"):
        told = f"{abstention['sure']:,} of {calibration['pictures']:,} validation pictures"
        yield "sure of", f"{told}; accuracy {abstention['proved']:.4f} proved"
    if sets := calibration.get("label_sets"):
        yield "label set", f"{sets['coverage']:g} covered by {sets['mean_size']:.2f} classes"


def _flat(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of nested mappings; lists are values."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{at}.{key}" if at else str(key))
    else:
        yield at, value

"""The Pusher's writes: a new version, and a rollback."""

import random
from pathlib import Path

_EVIDENCE = "evidence of a gate"


def make_models(folder: Path, rng: random.Random) -> None:
    """Two models of several files, the second as it looks to the Pusher, and a version served."""
    for name in ("old", "new"):
        for file, size in (("saved_model.pb", 50_000), ("variables/variables.index", 100)):
            path = folder / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(rng.randbytes(size))
        (folder / name / "variables" / "variables.data-00000-of-00001").write_bytes(
            rng.randbytes(200_000)
        )
        (folder / name / "assets.extra").mkdir()
        (folder / name / "assets.extra" / "classes.txt").write_text("a\nb\n")
    (folder / _EVIDENCE / "statistics").mkdir(parents=True)
    for file in ("pictures.parquet", "statistics/stats.pb"):
        (folder / _EVIDENCE / file).write_bytes(rng.randbytes(50_000))
    (folder / "serving").mkdir()
    _push_model(folder, "old")


def _push_model(folder: Path, name: str) -> None:
    from components import served_versions
    from components.pusher import push

    destination = folder / "serving"
    compared = served_versions.served_state(destination)
    push.push(folder / name, destination, compared, [folder / _EVIDENCE])


def break_pusher() -> None:
    """Puts a Pusher into this process that copies to where everybody looks: trials must tell."""
    import shutil

    from components.pusher import push
    from components.served_versions import ServedState

    def copy_into_place(model: Path, destination: Path, compared: ServedState, evidence) -> Path:
        version = Path(shutil.copytree(model, destination / str(compared.highest + 1)))
        kept = destination / "evidence" / version.name
        for folder in evidence:
            shutil.copytree(folder, kept, dirs_exist_ok=True)
        push.record_push(version, kept)
        return version

    push.push = copy_into_place


def push_new(folder: Path) -> None:
    from components import served_versions

    served = served_versions.champion(folder / "serving")
    digests = [served_versions.content_digest(path) for path in (served.path, folder / "new")]
    if digests[0] != digests[1]:  # as the Pusher does with what is served already
        _push_model(folder, "new")


def check_push(folder: Path, done: bool) -> list[str]:
    from components import served_versions
    from components.manifests import file_sizes, find_damage

    digests = [served_versions.content_digest(folder / name) for name in ("old", "new")]
    serving = folder / "serving"
    numbers = served_versions.version_numbers(serving)
    served = [served_versions.content_digest(serving / str(number)) for number in numbers]
    wrong = [
        f"version {n} is not whole"
        for n, d in zip(numbers, served, strict=True)
        if d not in digests
    ]
    if served[:1] != digests[:1]:
        wrong.append("the version of before is gone")
    if done and served[-1] != digests[1]:
        wrong.append("the new version is not served")
    for number in numbers:
        evidence = served_versions.evidence_folder(serving, str(number))
        if evidence.exists() and find_damage(evidence, file_sizes(folder / _EVIDENCE)):
            wrong.append(f"the evidence of version {number} is not whole")
    champion = served_versions.champion(serving)
    if champion is None or champion.name != str(numbers[-1]):
        wrong.append("the newest version is not what is served")
    records = [served_versions.read_push_record(serving, str(number)) for number in numbers]
    wrong += [f"version {n} has no record" for n, r in zip(numbers, records, strict=True) if not r]
    return wrong


def make_versions(folder: Path, rng: random.Random) -> None:
    """Both models served, the new one last."""
    make_models(folder, rng)
    _push_model(folder, "new")


def roll_back(folder: Path) -> None:
    from components import served_versions
    from components.pusher import push

    serving = folder / "serving"
    if not served_versions.taken_back(serving):
        push.republish(serving, "1", "chaos")


def check_rollback(folder: Path, done: bool) -> list[str]:
    from components import served_versions

    wrong = check_push(folder, done=False)
    digests = [served_versions.content_digest(folder / name) for name in ("old", "new")]
    served = served_versions.champion(folder / "serving")
    is_old = served_versions.content_digest(served.path) == digests[0]
    if done and not is_old:
        wrong.append("the old version is not served again")
    if is_old and digests[1] not in served_versions.taken_back(folder / "serving"):
        wrong.append("nobody remembers what was taken back")
    return wrong

"""`graft submit`."""

import dataclasses
import datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from components.errors import UserError
from pipeline.config import load_recipe
from pipeline.console import plain, redirect_output
from pipeline.kubeflow.client import cron
from pipeline.kubeflow.client.credentials import (
    crosses_network_in_clear,
    find_host,
    find_token,
    mounted_namespace,
)
from pipeline.kubeflow.package.artifact_paths import check_pipeline_root
from pipeline.kubeflow.package.backend_rules import run_parameter_values
from pipeline.kubeflow.package.documents import Package, is_package, load_package, parse_package
from pipeline.kubeflow.package.run_arguments import parse_arguments
from pipeline.kubeflow.step.run_parameters import check_run_parameters

_LOG_LINES = 30


@dataclasses.dataclass(frozen=True)
class Options:
    """What the command line says beside the package or recipe; see `graft submit --help`."""

    host: str | None = None
    namespace: str | None = None
    experiment: str | None = None
    pipeline_root: str | None = None
    run_name: str | None = None
    params: tuple[str, ...] = ()
    service_account: str | None = None
    token_file: Path | None = None
    ca_cert: Path | None = None
    use_cache: bool = True
    pipeline: str | None = None
    pipeline_version: str | None = None
    cron: str | None = None
    replace: bool = False
    wait: bool = False
    timeout_seconds: float | None = None
    poll_seconds: float = 5.0
    verbose: bool = False


def submit_package(target: str, overrides: list[str], options: Options) -> int:
    """Sends a package to Kubeflow Pipelines, to run now or by the clock.

    Args:
        target: path of a package, or name or path of a recipe, which is compiled first.
        overrides: `key=value` for the recipe, see `load_recipe`.
        options: the rest of the command line.

    Returns:
        The exit code: 0; with `wait` 1 when the run failed or took too long, 130 after Ctrl-C.

    Raises:
        UserError: an option, the package or the recipe is wrong; nothing was sent.
        ApiError: the host cannot be reached, or refuses a request.
    """
    schedule = _check(options)
    host, token = find_host(options.host), find_token(options.token_file)
    with redirect_output(None if options.verbose else Path("/dev/null")) as console:
        package = _package(target, overrides, console)
        arguments = parse_arguments(package, options.params)
        check_run_parameters(package.spec, run_parameter_values(package.spec, arguments))
        # Late: a mistake above need not wait for the import.
        from pipeline.kubeflow.client.api import Job, PipelinesApi

        api = PipelinesApi(host, token, options.ca_cert, options.namespace or mounted_namespace())
        if token and crosses_network_in_clear(host):
            _print(console, f"[yellow]{plain(host)} is not https: others can read the token[/]")
        api.check()
        experiment = options.experiment or package.name
        experiment_id, new = api.experiment(experiment)
        job = Job(
            package,
            options.run_name or _default_name(package, schedule),
            arguments,
            options.pipeline_root,
            options.service_account,
            options.use_cache,
        )
        _print(
            console,
            f"[bold]{plain(package.name)}[/]: {len(package.steps)} steps, "
            f"{'new ' if new else ''}experiment {plain(experiment)} at {plain(host)}",
        )
        if options.pipeline:
            version = api.upload(options.pipeline, options.pipeline_version or "", package)
            job = dataclasses.replace(job, version=version)
            how = "uploaded" if version.new else "there already"
            link = api.link(f"pipelines/details/{version.pipeline_id}/version/{version.version_id}")
            _print(
                console,
                f"Pipeline {plain(options.pipeline)}, version {plain(version.name)} ({how}): "
                f"{plain(link)}",
            )
        if schedule:
            _schedule(api, experiment_id, job, schedule, options.replace, console)
            return 0
        run_id = api.create_run(experiment_id, job)
        link = api.link(f"runs/details/{run_id}")
        _print(console, f"Run {plain(job.name)}: {plain(link)}")
        return _wait(api, run_id, link, package, options, console) if options.wait else 0


def _check(options: Options) -> str | None:
    """Finds options that do not go together; returns the cron expression as it is sent."""
    if options.pipeline_root:
        check_pipeline_root(options.pipeline_root)
    if options.ca_cert and not options.ca_cert.is_file():
        raise UserError(f"--ca-cert {options.ca_cert}: there is no such file")
    if options.timeout_seconds is not None and not options.wait:
        raise UserError("--timeout says how long to wait: give --wait too")
    if options.replace and not options.cron:
        raise UserError("--replace is for schedules: give --cron too")
    if options.pipeline_version and not options.pipeline:
        raise UserError("--pipeline-version names a version of a pipeline: give --pipeline too")
    if options.pipeline and not options.use_cache:
        raise UserError(
            "--no-cache changes what is sent, and --pipeline runs the package as it was uploaded: "
            "leave one out, or compile with --set kubeflow.cache=false"
        )
    if options.cron and options.wait:
        raise UserError("--wait waits for a run, and --cron starts none now: leave one out")
    return cron.six_fields(options.cron) if options.cron else None


def _package(target: str, overrides: list[str], console: Console) -> Package:
    path = Path(target)
    if is_package(path):
        if overrides:
            raise UserError(
                f"--set changes a recipe, and {target} is compiled: use --param, or compile again"
            )
        return load_package(path)
    recipe = load_recipe(target, overrides)
    console.print("[dim]Starting TFX to compile …[/]")
    from pipeline.kubeflow.compiler.compile_package import compile_package
    from pipeline.kubeflow.compiler.recipe_checks import warnings_for

    package = parse_package(compile_package(recipe))
    for warning in warnings_for(recipe):
        _print(console, f"[yellow]Warning: {plain(warning)}[/]")
    return package


def _default_name(package: Package, schedule: str | None) -> str:
    """Runs differ by their time; a schedule of the same name is the same schedule."""
    if schedule:
        return package.name
    return f"{package.name} {datetime.datetime.now():%Y-%m-%d %H:%M:%S}"


def _schedule(api, experiment_id: str, job, schedule: str, replace: bool, console: Console):
    there = api.schedules(experiment_id, job.name)
    if there and not replace:
        times = ", ".join(sorted(_times(s) for s in there))
        raise UserError(
            f"there is a schedule {job.name} in this experiment already ({times}): --replace "
            "puts this one in its place, another --run-name sets it beside"
        )
    schedule_id = api.create_schedule(experiment_id, job, schedule)
    for old in there:  # after the new one is there: a failure must not leave none
        api.delete_schedule(old.recurring_run_id)
    how = f"replaces {len(there)}" if there else "new"
    _print(
        console,
        f"Schedule {plain(job.name)} ({how}): {schedule}"
        + ("" if schedule.startswith("@") else " (second minute hour day month weekday)")
        + ", in the cluster's time zone, which is UTC as a rule",
    )
    _print(console, plain(api.link(f"recurringrun/details/{schedule_id}")))


def _times(schedule) -> str:
    cron_schedule = schedule.trigger.cron_schedule if schedule.trigger else None
    return cron_schedule.cron if cron_schedule else "not by cron"


def _wait(api, run_id: str, link: str, package: Package, options: Options, console: Console) -> int:
    from pipeline.kubeflow.client.connection import ApiError
    from pipeline.kubeflow.client.run_display import StepsDisplay
    from pipeline.kubeflow.client.run_watch import WaitTimeoutError, wait_for

    goes_on = f"The run goes on: {plain(link)}"
    try:
        with StepsDisplay(console, [step.name for step in package.steps]) as display:
            run = wait_for(
                lambda: api.get_run(run_id),
                display,
                poll_seconds=options.poll_seconds,
                timeout_seconds=options.timeout_seconds,
            )
    except KeyboardInterrupt:
        _print(console, f"No longer waiting. {goes_on}")
        return 130
    except WaitTimeoutError:
        _print(console, f"[red]✗[/] Not done in {options.timeout_seconds:g} seconds. {goes_on}")
        return 1
    except (ApiError, UserError):  # the latter: the token's file cannot be read any more
        _print(console, goes_on)
        raise
    if display.status.succeeded:
        _print(console, "[green]✓[/] Succeeded")
        return 0
    _explain_failure(api, run, run_id, package, display.status, link, console)
    return 1


def _explain_failure(api, run, run_id: str, package: Package, status, link: str, console: Console):
    from pipeline.kubeflow.client.run_pods import pod_names

    failed = status.failed_steps
    names = [step.name for step in package.steps]
    if not failed:
        said = plain(status.message) or "no step failed, so the run's page has to say why"
        _print(console, f"[red]✗[/] {status.state.capitalize()}: {said}: {plain(link)}")
    for step in failed:
        where = " before its container started" if step.driver_failed else ""
        number = f"step {names.index(step.name) + 1} of {len(names)}"
        said = (
            f": {plain(step.message or status.message)}" if step.message or status.message else ""
        )
        _print(console, f"[red]✗[/] [bold]{plain(step.name)}[/] ({number}) failed{where}{said}")
        pods = pod_names(run, package, step.name, step.driver_failed)
        log = next(filter(None, (api.log_tail(run_id, pod) for pod in pods)), None)
        if log is None:
            _print(
                console, f"Its log cannot be had from here; the run's page has it: {plain(link)}"
            )
            continue
        console.print("[dim]The end of its log:[/]")
        for line in log.splitlines()[-_LOG_LINES:]:
            console.print(Text("  ").append_text(Text.from_ansi(line)), soft_wrap=True)


def _print(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, highlight=False)

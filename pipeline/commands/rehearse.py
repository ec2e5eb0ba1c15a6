"""`graft rehearse`."""

from pathlib import Path

from components.errors import Fault, UserError
from pipeline.console import log_path, plain, redirect_output, say
from pipeline.failures import exit_code, explain, report_request
from pipeline.kubeflow.package.backend_rules import run_parameter_values
from pipeline.kubeflow.package.documents import is_package, load_package
from pipeline.kubeflow.package.run_arguments import parse_arguments
from pipeline.kubeflow.step.run_parameters import check_run_parameters
from pipeline.run_display import RunDisplay
from pipeline.run_result import RunError


def rehearse_package(
    path: Path,
    work: Path | None,
    overrides: list[str],
    pipeline_root: str,
    keep: bool,
    verbose: bool,
    use_cache: bool = True,
    order: int | None = None,
) -> int:
    """Runs a package step by step on this machine and shows how it goes.

    Args:
        path: the package.
        work: folder for what it leaves; None: `runs/<pipeline>/rehearsal`.
        overrides: `key=value` of run parameters.
        pipeline_root: URI below which artifacts go; empty: the package's, else the backend's.
        keep: leaves artifacts and pods behind; later rehearsals take steps from what is kept.
        verbose: leaves this process' log on the terminal. Those of the steps always go to files.
        use_cache: whether steps may be taken from what earlier rehearsals kept.
        order: seed of another order of steps; None: the package's.

    Returns:
        The exit code: 0 when every gate said yes, 1 when one said no or a step failed, 70 after a
        bug of Graft.

    Raises:
        UserError: the backend would not accept the package or a parameter; nothing has been run.
    """
    if path.is_file() and not is_package(path):
        raise UserError(f"{path} is no package; `graft compile` makes one of a recipe")
    package = load_package(path)
    given = parse_arguments(package, overrides)
    check_run_parameters(package.spec, run_parameter_values(package.spec, given))
    work = work or Path("runs") / package.name / "rehearsal"
    log_file = None if verbose else log_path(work)
    with redirect_output(log_file) as console:
        console.print(
            f"[bold]{plain(package.name)}[/]: {len(package.steps)} steps, one process each, "
            "under the rules of a Kubeflow Pipelines backend"
        )
        console.print("[dim]Starting TensorFlow and TFX …[/]")
        from pipeline.kubeflow.emulator import rehearsal

        run = rehearsal.Rehearsal(
            package, work, given, pipeline_root, use_cache=use_cache, order=order
        )
        say(console, f"Logs: {run.folder / 'logs'}")
        display = RunDisplay(console, unfold=verbose)
        try:
            with display:
                result = run.run(display, keep)
        except RunError as error:
            say(console, f"✗ {explain(error)}", style="red")
            if isinstance(error, rehearsal.StepError):
                say(console, f"The end of {error.log_file}:", style="dim")
                say(console, error.tail)
            if error.fault is Fault.GRAFT:
                say(console, report_request(log_file or "above"))
            return exit_code(error)
        if result.message:
            say(console, f"✗ {result.message}", style="red")
        display.run_ended(result, run.destination)
    return 0 if result.succeeded else 1

"""The command `graft`. TensorFlow and TFX are imported inside the commands that need them."""

import typer

from pipeline.cli import data, kubeflow, running, runs, schema, versions

app = typer.Typer(
    name="graft",
    help="Fine-tunes a pretrained image network on your pictures and serves it only when it has "
    "passed every gate.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(running.run)
app.command()(running.validate)
app.command()(running.predict)
app.command()(running.report)
app.command("lr-find")(running.lr_find)
app.add_typer(data.app, name="data")
app.add_typer(schema.app, name="schema")
app.add_typer(runs.app, name="runs")
app.add_typer(versions.app, name="versions")
app.command()(versions.verify)
app.command()(versions.reproduce)
app.command("compile")(kubeflow.compile_)
app.command()(kubeflow.rehearse)
app.command()(kubeflow.submit)
app.command()(kubeflow.publish)
app.command()(kubeflow.register)
app.command()(running.doctor)


def main() -> None:
    """Entry point: whatever goes wrong is told in a line, with an exit code that says whose it is.

    2 is the user's mistake, 1 what the surroundings did, 70 a bug, 130 Ctrl-C, 143 SIGTERM.
    """
    import os
    import sys

    from components.garbage import collect_seldom
    from pipeline.processes import stop_on_signals

    # Before the first import of TensorFlow, which reads it once.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    # Beam makes a parser of options thousands of times in a run, and for every word of each of them
    # argparse looks for files with a translation. Graft has none.
    os.environ.setdefault("LANGUAGE", "C")
    collect_seldom()
    stop_on_signals()
    try:
        app()
    except Exception as error:
        from components.errors import Fault
        from pipeline.failures import exit_code, explain, report_request, write_traceback

        code = exit_code(error)
        print(f"graft: {explain(error)}", file=sys.stderr)
        if code == Fault.GRAFT.value:
            print(f"graft: {report_request(write_traceback(error))}", file=sys.stderr)
        sys.exit(code)

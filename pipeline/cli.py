"""The command `graft`. TensorFlow and TFX are imported inside the commands that need them."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="graft",
    help="Fine-tunes a pretrained image network on your pictures and serves it only when it has "
    "passed every gate.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
versions_app = typer.Typer(help="The served versions of a model.", no_args_is_help=True)
data_app = typer.Typer(help="The pictures of a recipe, and their labels.", no_args_is_help=True)
schema_app = typer.Typer(help="What the examples must look like.", no_args_is_help=True)
app.add_typer(versions_app, name="versions")
runs_app = typer.Typer(help="What runs left on this machine.", no_args_is_help=True)
app.add_typer(runs_app, name="runs")
app.add_typer(data_app, name="data")
app.add_typer(schema_app, name="schema")

DEFAULT_RECIPE = "digits"

ConfigArgument = Annotated[
    str, typer.Argument(help="Name of a recipe that comes with Graft, or the path of a YAML file.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Overrides a key, as training.unfrozen.epochs=3. Repeatable.",
    ),
]
VerboseOption = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", help="Shows the log of TensorFlow, TFX and Beam instead of filing it."
    ),
]
RecipeOption = Annotated[
    str, typer.Option("--recipe", "-r", help="The recipe whose served model it is about.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Prints JSON, for programs.")]
WaitOption = Annotated[
    bool,
    typer.Option("--wait", help="Waits while another run of this recipe goes on."),
]


@app.command()
def run(
    config: ConfigArgument = DEFAULT_RECIPE,
    set_: SetOption = None,
    wait: WaitOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Runs a recipe: from pictures to a served model, or to the gate that said no (exit code 1)."""
    from pipeline.commands.run import run_recipe

    raise typer.Exit(run_recipe(config, set_ or [], verbose, wait))


@app.command("lr-find")
def lr_find(
    config: ConfigArgument = DEFAULT_RECIPE,
    set_: SetOption = None,
    phase: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The phase to find a rate for. Those before it are trained for one epoch each, "
            "at their own rates.",
            show_default="the recipe's first",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="PNG file for the curve.", show_default="in the recipe's folder"
        ),
    ] = None,
    wait: WaitOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Suggests a learning rate: trains with a growing one for 100 steps and draws the loss.

    Nothing is trained for good and nothing is pushed. What it makes of the pictures on the way,
    the next `graft run` takes from the cache.
    """
    from pipeline.commands.lr_find import find_rate

    raise typer.Exit(find_rate(config, set_ or [], phase, output, verbose, wait))


@app.command("compile")
def compile_(
    config: ConfigArgument,
    set_: SetOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="YAML file for the package; - for standard output.",
            show_default="<recipe>.package.yaml",
        ),
    ] = None,
    verbose: VerboseOption = False,
) -> None:
    """Makes a package for Kubeflow Pipelines of a recipe with a block `kubeflow`."""
    from pipeline.commands.compile import compile_recipe

    compile_recipe(config, set_ or [], output, verbose)


@app.command()
def rehearse(
    package: Annotated[Path, typer.Argument(help="What `graft compile` wrote.")],
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "--set",
            metavar="KEY=VALUE",
            help="A run parameter of the package, as frozen_epochs=3. Repeatable.",
        ),
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(
            help="Folder for logs and volumes. A claim `data` is its folder pvc/data.",
            show_default="runs/<pipeline>/rehearsal",
        ),
    ] = None,
    pipeline_root: Annotated[
        str,
        typer.Option(
            help="Where artifacts would go: minio://…, s3://… or gs://….",
            show_default="the package's",
        ),
    ] = "",
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help="Keeps artifacts and pods; the next rehearsal takes steps from them.",
        ),
    ] = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Runs every step, whatever was kept.")
    ] = False,
    order: Annotated[
        int | None,
        typer.Option(
            metavar="SEED", help="Another order of the steps, as in a cluster; drawn by this seed."
        ),
    ] = None,
    verbose: VerboseOption = False,
) -> None:
    """Runs a Kubeflow Pipelines package on this machine, as its backend would (exit code as `run`).

    Every step is a process with the container's command line in a fresh folder.
    Nothing is isolated beyond that; no image and no cluster is needed.
    """
    from pipeline.commands.rehearse import rehearse_package

    raise typer.Exit(
        rehearse_package(
            package, work, param or [], pipeline_root, keep, verbose, not no_cache, order
        )
    )


@app.command()
def validate(config: ConfigArgument, set_: SetOption = None) -> None:
    """Checks all that a run needs without running it; prints the recipe in full, and its pictures.

    Weights from the internet are fetched, as a run would do.
    """
    from pipeline.commands.validate import validate_recipe

    validate_recipe(config, set_ or [])


@app.command()
def predict(
    images: Annotated[
        list[Path], typer.Argument(help="Pictures to classify.", metavar="PICTURES...")
    ],
    recipe: RecipeOption = DEFAULT_RECIPE,
    model: Annotated[
        Path | None,
        typer.Option("--model", "-m", help="A SavedModel folder to ask instead."),
    ] = None,
    set_: SetOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Classifies pictures with the served model."""
    from pipeline.commands.predict import predict_pictures

    raise typer.Exit(predict_pictures(images, recipe, set_ or [], model, verbose))


@versions_app.command("list")
def versions_list(
    config: ConfigArgument = DEFAULT_RECIPE, set_: SetOption = None, json: JsonOption = False
) -> None:
    """Lists the served versions of a recipe's model, newest first."""
    from pipeline.commands.versions import list_versions

    list_versions(config, set_ or [], json)


@versions_app.command("show")
def versions_show(
    version: Annotated[
        str | None, typer.Argument(help="Its number.", show_default="what is served")
    ] = None,
    recipe: RecipeOption = DEFAULT_RECIPE,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Shows when a version was pushed, what it was made of, and what its gates said."""
    from pipeline.commands.versions import show_version

    show_version(recipe, set_ or [], version, json)


@versions_app.command("diff")
def versions_diff(
    first: Annotated[str, typer.Argument(help="Number of a version.")],
    second: Annotated[str, typer.Argument(help="Number of another.")],
    recipe: RecipeOption = DEFAULT_RECIPE,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Shows in what two versions differ: settings, inputs, code, libraries, findings of gates."""
    from pipeline.commands.versions import diff_versions

    diff_versions(recipe, set_ or [], first, second, json)


@versions_app.command("rollback")
def versions_rollback(
    version: Annotated[
        str | None, typer.Argument(help="Its number.", show_default="the one before what is served")
    ] = None,
    recipe: RecipeOption = DEFAULT_RECIPE,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the version.")] = "",
    set_: SetOption = None,
) -> None:
    """Serves an older version again, under a new number, since servers take the highest.

    The model that is taken back is not pushed again by a later run of the same recipe.
    """
    from pipeline.commands.versions import roll_back

    roll_back(recipe, set_ or [], version, reason)


@versions_app.command("prune")
def versions_prune(
    keep: Annotated[int, typer.Option(help="How many of the newest stay.")],
    config: ConfigArgument = DEFAULT_RECIPE,
    set_: SetOption = None,
) -> None:
    """Removes all versions but the newest; what is known of them stays."""
    from pipeline.commands.versions import prune_versions

    prune_versions(config, set_ or [], keep)


@runs_app.command("list")
def runs_list(
    config: ConfigArgument = DEFAULT_RECIPE, set_: SetOption = None, json: JsonOption = False
) -> None:
    """Lists the runs of a recipe, newest first: how each ended and what it alone keeps."""
    from pipeline.commands.runs import list_runs

    list_runs(config, set_ or [], json)


@runs_app.command("show")
def runs_show(
    run: Annotated[
        str | None, typer.Argument(help="The beginning of its name.", show_default="the last")
    ] = None,
    recipe: RecipeOption = DEFAULT_RECIPE,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Shows what the nodes of a run did and what its gates found."""
    from pipeline.commands.runs import show_run

    show_run(recipe, set_ or [], run, json)


@runs_app.command("prune")
def runs_prune(
    keep: Annotated[int, typer.Option(help="How many of the last runs keep all they need.")],
    config: ConfigArgument = DEFAULT_RECIPE,
    set_: SetOption = None,
) -> None:
    """Removes what only older runs need; served versions and the cache of the last run stay."""
    from pipeline.commands.runs import prune_runs

    prune_runs(config, set_ or [], keep)


@app.command()
def report(
    run: Annotated[
        str | None, typer.Argument(help="The beginning of its name.", show_default="the last")
    ] = None,
    recipe: RecipeOption = DEFAULT_RECIPE,
    set_: SetOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="HTML file to write.", show_default="in the recipe's folder"
        ),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Shows the page in the browser.")] = False,
    json: JsonOption = False,
) -> None:
    """Makes the page of a run: verdict, gates, curves, mistakes with pictures, data, origin."""
    from pipeline.commands.report import report_run

    report_run(recipe, set_ or [], run, out, open_, json)


@app.command()
def verify(
    version: Annotated[
        str | None, typer.Argument(help="Its number.", show_default="what is served")
    ] = None,
    recipe: RecipeOption = DEFAULT_RECIPE,
    set_: SetOption = None,
) -> None:
    """Proves that a version and its evidence are to the byte what was pushed (exit code 2 if not).

    Somebody who can write there can change the record as well.
    """
    from pipeline.commands.versions import verify as verify_version

    verify_version(recipe, set_ or [], version)


@app.command()
def publish(
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="Where to, as s3://models/fruit.")
    ],
    config: ConfigArgument = DEFAULT_RECIPE,
    set_: SetOption = None,
    version: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help="Which version.", show_default="the one served"),
    ] = None,
) -> None:
    """Copies a served version into an object store and makes it the current one there."""
    from pipeline.commands.publish import publish_version

    publish_version(address, config, set_ or [], version=version)


@app.command()
def register(
    config: ConfigArgument = DEFAULT_RECIPE,
    set_: SetOption = None,
    registry: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Address of the registry.",
            show_default="the recipe's push.registry",
        ),
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help="Which version.", show_default="the one served"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the model.", show_default="the recipe's")
    ] = None,
    uri: Annotated[
        str | None,
        typer.Option(
            help="Where servers find the version, as pvc://models/fruit/3.",
            show_default="below push.registry_uri, or the path on this machine",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with the bearer token.", show_default="$MODEL_REGISTRY_TOKEN"),
    ] = None,
) -> None:
    """Notes a served version in a Kubeflow Model Registry, with its findings and origin."""
    from pipeline.commands.register import register_version

    register_version(
        config,
        set_ or [],
        registry=registry,
        version=version,
        name=name,
        uri=uri,
        token_file=token_file,
    )


@data_app.command("show")
def data_show(
    config: ConfigArgument = DEFAULT_RECIPE,
    set_: SetOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="PNG file for the contact sheet.",
            show_default="in the recipe's folder",
        ),
    ] = None,
    wait: WaitOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Shows what a recipe's pictures are: classes, splits, copies, outliers, augmentation.

    Nothing is trained. What it makes of the pictures on the way, the next `graft run` takes from
    the cache.
    """
    from pipeline.commands.data_show import show_data

    raise typer.Exit(show_data(config, set_ or [], output, verbose, wait))


@data_app.command("labels")
def data_labels(
    config: ConfigArgument = DEFAULT_RECIPE,
    set_: SetOption = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many pictures to draw.")] = 90,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="PNG file for the contact sheet; the CSV file lies beside it.",
            show_default="labels.png in the recipe's folder",
        ),
    ] = None,
    wait: WaitOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Finds labels that are probably wrong, draws them and lists them in a CSV file."""
    from pipeline.commands.data_labels import review_labels

    raise typer.Exit(review_labels(config, set_ or [], top, output, verbose, wait))


@data_app.command("relabel")
def data_relabel(
    fixes: Annotated[
        Path,
        typer.Argument(
            help="CSV file with the columns path and label (or suggested), and action (relabel or "
            "drop) if you like."
        ),
    ],
    recipe: Annotated[
        str, typer.Option("--recipe", "-r", help="The recipe whose pictures they are.")
    ] = DEFAULT_RECIPE,
    set_: SetOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The overlay to write or add to.",
            show_default="data.fixes, or <recipe>.fixes.csv beside the recipe",
        ),
    ] = None,
) -> None:
    """Adds fixes of labels to the overlay that `data.fixes` applies; pictures stay as they are."""
    from pipeline.commands.data_relabel import relabel

    relabel(fixes, recipe, set_ or [], output)


@schema_app.command("infer")
def schema_infer(
    config: ConfigArgument = DEFAULT_RECIPE,
    set_: SetOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write.", show_default="standard output"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Writes over a file.")] = False,
    wait: WaitOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Prints the schema that a recipe's pictures happen to have, beside the curated one."""
    from pipeline.commands.schema import infer_schema

    raise typer.Exit(infer_schema(config, set_ or [], output, force, verbose, wait))


@schema_app.command("check")
def schema_check(
    config: ConfigArgument = DEFAULT_RECIPE,
    set_: SetOption = None,
    schema: Annotated[
        Path | None,
        typer.Option(help="The schema to check against.", show_default="the curated one"),
    ] = None,
    wait: WaitOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Checks a recipe's pictures against the schema (exit code 1 if they are not as it says)."""
    from pipeline.commands.schema import check_schema

    raise typer.Exit(check_schema(config, set_ or [], schema, verbose, wait))


@app.command()
def doctor(
    config: ConfigArgument = DEFAULT_RECIPE, set_: SetOption = None, verbose: VerboseOption = False
) -> None:
    """Tells whether this machine can run a recipe (exit code 1 if not)."""
    from pipeline.commands.doctor import examine

    raise typer.Exit(examine(config, set_ or [], verbose))


@app.command()
def submit(
    target: Annotated[
        str,
        typer.Argument(
            metavar="PACKAGE_OR_CONFIG",
            help="A package of `graft compile`, or a recipe to compile first.",
        ),
    ],
    set_: SetOption = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param", metavar="KEY=VALUE", help="A run parameter of the package. Repeatable."
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Address of Kubeflow Pipelines.",
            show_default="$KF_PIPELINES_ENDPOINT, or the cluster's own inside one",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the bearer token; it is read again for every request.",
            show_default="$KFP_TOKEN, or the service account's token inside a cluster",
        ),
    ] = None,
    ca_cert: Annotated[
        Path | None,
        typer.Option(
            help="PEM file with the certificate authority that signed the host's certificate."
        ),
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace",
            "-n",
            help="Kubernetes namespace of the run, where the installation has several users.",
        ),
    ] = None,
    experiment: Annotated[
        str | None,
        typer.Option(
            help="The experiment that the run belongs to; made if it does not exist.",
            show_default="the pipeline's name",
        ),
    ] = None,
    run_name: Annotated[
        str | None,
        typer.Option(
            help="Name of the run or schedule.",
            show_default="the pipeline's name, with the time for a run",
        ),
    ] = None,
    pipeline_root: Annotated[
        str | None,
        typer.Option(
            metavar="URI",
            help="Where artifacts go: minio://, s3:// or gs://.",
            show_default="the package's or the server's",
        ),
    ] = None,
    service_account: Annotated[
        str | None,
        typer.Option(
            help="Kubernetes service account that the pods run under.", show_default="the server's"
        ),
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Runs every step, whatever the package says.")
    ] = False,
    pipeline: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Uploads the package as a version of this pipeline, and runs that."
        ),
    ] = None,
    pipeline_version: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name of the version.",
            show_default="of the package's content, so that the same is uploaded once",
        ),
    ] = None,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait", help="Shows the steps until the run has ended; exit code 1 if it failed."
        ),
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=1, help="How long to wait at most."),
    ] = None,
    poll: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=0.1, help="Time between two requests for the state of the run."
        ),
    ] = 5,
    cron: Annotated[
        str | None,
        typer.Option(
            metavar="EXPRESSION",
            help='Runs by the clock instead of now, as "30 3 * * MON": one run at a time, none for '
            "times gone by.",
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replaces the schedule of the same name.")
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Runs a package on Kubeflow Pipelines, now or by the clock.

    Ctrl-C while it waits leaves the run running.
    """
    from pipeline.commands.submit import Options, submit_package

    options = Options(
        host=host,
        namespace=namespace,
        experiment=experiment,
        pipeline_root=pipeline_root,
        run_name=run_name,
        params=tuple(param or ()),
        service_account=service_account,
        token_file=token_file,
        ca_cert=ca_cert,
        use_cache=not no_cache,
        pipeline=pipeline,
        pipeline_version=pipeline_version,
        cron=cron,
        replace=replace,
        wait=wait,
        timeout_seconds=timeout,
        poll_seconds=poll,
        verbose=verbose,
    )
    raise typer.Exit(submit_package(target, set_ or [], options))


def main() -> None:
    """Entry point: whatever goes wrong is told in a line, with an exit code that says whose it is.

    2 is the user's mistake, 1 what the surroundings did, 70 a bug, 130 Ctrl-C, 143 SIGTERM.
    """
    import os
    import sys

    from pipeline.processes import stop_on_signals

    # Before the first import of TensorFlow, which reads it once.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
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


if __name__ == "__main__":
    main()

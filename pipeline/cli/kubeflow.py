"""`graft compile`, `rehearse`, `submit`, `publish`, `register`: the commands for Kubeflow."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import DEFAULT_RECIPE, ConfigArgument, SetOption, VerboseOption


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

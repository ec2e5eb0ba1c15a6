"""Settings of Apache Beam: who runs the nodes that read every picture, and with what options."""

import contextlib
import io
from collections.abc import Sequence
from typing import Annotated, Literal

import pydantic

from components.errors import UserError
from components.settings import LocalPath, Settings
from components.text import did_you_mean
from pipeline.node_ids import EVALUATOR, IMAGE_EXAMPLE_GEN, STATISTICS_GEN, TRANSFORM
from pipeline.secret_words import is_secret

_Address = Annotated[str, pydantic.Field(pattern=r"^([A-Za-z0-9._-]+:\d{1,5})?$")]
_Count = Annotated[int, pydantic.Field(ge=1)]
# Of two that contradict each other Beam takes the last, so these have one place.
_OWN_OPTIONS = ("runner", "direct_running_mode", "direct_num_workers")
# TFX packs itself up for the workers of every node (2.4 s, and 49 MB in the temporary folder that
# nobody removes) unless these have an image. Where they are the node's own process, or come with
# Graft in them, any name will do: Beam does not read it.
_NOT_PACKED = "--sdk_container_image=none"


class DirectSettings(Settings):
    """Block `beam.direct`: on the machine, or in the pod, where the node itself runs."""

    mode: Literal["in_memory", "multi_processing"] = pydantic.Field(
        "in_memory",
        description="in_memory: in the node's own process; multi_processing: in worker processes, "
        "each of which imports TensorFlow anew (about 10 s and 700 MiB)",
    )
    workers: _Count | None = pydantic.Field(
        None, description="worker processes of multi_processing; empty: one per CPU core"
    )

    @pydantic.model_validator(mode="after")
    def _check(self) -> "DirectSettings":
        if self.mode == "in_memory" and (self.workers or 1) > 1:
            raise ValueError(
                f"in_memory is one process, not {self.workers}: set mode to multi_processing"
            )
        return self

    def options(self) -> list[str]:
        """The options for Beam."""
        # The runner is named because newer versions of Beam may hand over to one that downloads a
        # binary. To Beam, 0 workers are one per core.
        workers = 1 if self.mode == "in_memory" else self.workers or 0
        return [
            "--runner=FnApiRunner",
            f"--direct_running_mode={self.mode}",
            f"--direct_num_workers={workers}",
            _NOT_PACKED,
        ]


class PortableSettings(Settings):
    """What Flink and Spark have in common: where the job goes, and where its functions run."""

    job_endpoint: _Address = pydantic.Field(
        "", description="host:port of a running Beam job server"
    )
    worker_pool: _Address = pydantic.Field(
        "",
        description="host:port, as the cluster's own workers see it, of a Beam worker pool with "
        "Graft in it: often localhost:50000, a second container beside each worker",
    )
    worker_image: str = pydantic.Field(
        "",
        pattern=r"^\S*$",
        description="instead: an image of Graft with Beam's boot program, which the cluster's "
        "workers start with Docker",
    )

    def worker_options(self) -> list[str]:
        """The options that say where the functions run."""
        if self.worker_pool:
            where = f"--environment_config={self.worker_pool}"
            return ["--environment_type=EXTERNAL", where, _NOT_PACKED]
        return [
            "--environment_type=DOCKER",
            f"--environment_config={self.worker_image}",
            # These runners do not read it. TFX does, see _NOT_PACKED.
            f"--sdk_container_image={self.worker_image}",
        ]

    def missing_workers(self) -> str:
        """What is wrong with the place of the functions; empty if nothing is."""
        if bool(self.worker_pool) == bool(self.worker_image):
            return "set either worker_pool (host:port) or worker_image"
        return ""


class FlinkSettings(PortableSettings):
    """Block `beam.flink`."""

    master: str = pydantic.Field(
        "",
        pattern=r"^((https?://)?[A-Za-z0-9._-]+:\d{1,5})?$",
        description="instead of job_endpoint: host:port of the JobManager's REST API; needs Java "
        "and Beam's job server jar where the node runs",
    )
    version: Literal["1.17", "1.18", "1.19", "1.20", "2.0"] | None = pydantic.Field(
        None, description="of the cluster, with master; empty: Beam's newest"
    )
    parallelism: _Count | None = pydantic.Field(
        None, description="tasks that run at the same time; empty: the cluster's default"
    )

    def options(self) -> list[str]:
        """The options for Beam."""
        where = (
            ["--runner=FlinkRunner", f"--flink_master={self.master}"]
            if self.master
            else ["--runner=PortableRunner", f"--job_endpoint={self.job_endpoint}"]
        )
        return [
            *where,
            *_given("flink_version", self.version),
            *_given("parallelism", self.parallelism),
            *self.worker_options(),
        ]

    def missing(self) -> str:
        """What the runner needs and is not set; empty if nothing."""
        if bool(self.master) == bool(self.job_endpoint):
            return "set either master (host:port of the JobManager) or job_endpoint (host:port)"
        return self.missing_workers()


class SparkSettings(PortableSettings):
    """Block `beam.spark`."""

    def options(self) -> list[str]:
        """The options for Beam."""
        return [
            "--runner=PortableRunner",
            f"--job_endpoint={self.job_endpoint}",
            *self.worker_options(),
        ]

    def missing(self) -> str:
        """What the runner needs and is not set; empty if nothing."""
        if not self.job_endpoint:
            return "set job_endpoint (host:port of Beam's Spark job server)"
        return self.missing_workers()


class DaskSettings(Settings):
    """Block `beam.dask`: who decodes the pictures. The other nodes run as `beam.direct` says."""

    scheduler: str = pydantic.Field(
        "",
        pattern=r"^((tcp|tls|ws|wss)://\S+:\d{1,5})?$",
        description="address of the scheduler, as tcp://dask-scheduler:8786",
    )
    shared_folder: LocalPath = pydantic.Field(
        "",
        description="folder that the node and all workers see at the same path, for what is not "
        "finished; empty: the node's own, which must be such a folder then",
    )

    def options(self) -> list[str]:
        """The options for Beam."""
        return [
            # Beam knows it by no shorter name.
            "--runner=apache_beam.runners.dask.dask_runner.DaskRunner",
            f"--dask_client_address={self.scheduler}",
            # By default one task takes 128 shards, which is all of them on one worker.
            "--dask_partition_size=1",
            *_given("temp_location", self.shared_folder),
            _NOT_PACKED,
        ]

    def missing(self) -> str:
        """What the runner needs and is not set; empty if nothing."""
        return "" if self.scheduler else "set scheduler (as tcp://dask-scheduler:8786)"


class BeamSettings(Settings):
    """The block `beam` of a recipe. The blocks of runners that are not chosen may stay in it."""

    runner: Literal["direct", "flink", "spark", "dask"] = pydantic.Field(
        "direct", description="who runs ImageExampleGen, StatisticsGen, Transform and Evaluator"
    )
    direct: DirectSettings = DirectSettings()
    flink: FlinkSettings = FlinkSettings()
    spark: SparkSettings = SparkSettings()
    dask: DaskSettings = DaskSettings()
    extra: tuple[str, ...] = pydantic.Field(
        (), description="further options of Beam, as --number_of_worker_harness_threads=2"
    )

    @pydantic.field_validator("extra")
    @classmethod
    def _check_extra(cls, extra: tuple[str, ...]) -> tuple[str, ...]:
        for option in extra:
            name = option.removeprefix("--").partition("=")[0]
            if not option.startswith("--") or any(c.isspace() for c in name):
                raise ValueError(f"write --option=value or --option, not {option!r}")
            if name in _OWN_OPTIONS:
                raise ValueError(f"--{name} is what beam.runner and its block say; set it there")
            if is_secret(name):
                raise ValueError(
                    f"--{name} would put a secret into packages and logs: give it to the workers "
                    "through their environment"
                )
        return extra

    @pydantic.model_validator(mode="after")
    def _check(self) -> "BeamSettings":
        if self.runner != "direct":
            missing = getattr(self, self.runner).missing()
            if missing:
                raise ValueError(f"runner is {self.runner}, so in beam.{self.runner} {missing}")
        return self

    def check_reach(self, *, in_cluster: bool) -> None:
        """Stops a run whose workers could not read the files of the nodes.

        Args:
            in_cluster: whether each node is a step of Kubeflow Pipelines. It then works on copies
                of its artifacts in its own pod, which no worker outside of it sees.

        Raises:
            UserError: another runner is needed; the text says which.
        """
        if in_cluster and self.runner == "dask":
            if self.dask.shared_folder.startswith("/"):
                return
            raise UserError(
                "beam.dask.shared_folder: on Kubeflow Pipelines a step's files lie in its own pod: "
                f"name a folder on a claim that the step {IMAGE_EXAMPLE_GEN} and all Dask workers "
                "mount at the same path"
            )
        if in_cluster and self.runner != "direct":
            raise UserError(
                f"beam.runner: on Kubeflow Pipelines a step's files lie in its own pod, where the "
                f"workers of {self.runner} cannot read them; use direct, with beam.direct.workers"
            )

    @property
    def local_nodes(self) -> tuple[str, ...]:
        """The nodes with Beam that the chosen runner cannot carry, and that run locally."""
        # Beam's DaskRunner translates Create, ParDo, GroupByKey and Flatten; these read files.
        return (STATISTICS_GEN, TRANSFORM, EVALUATOR) if self.runner == "dask" else ()

    def pipeline_args(self, node_id: str = IMAGE_EXAMPLE_GEN) -> list[str]:
        """The options of a node's runner, as `beam_pipeline_args` of a TFX pipeline takes them.

        Args:
            node_id: one of those with Beam.

        Raises:
            UserError: `extra` holds an option that the installed Beam does not have.
        """
        if self.runner == "dask":
            with contextlib.suppress(ImportError):  # told by `dask_cluster.check`
                import apache_beam.runners.dask.dask_runner  # noqa: F401 (Beam learns its options)
        if self.extra:
            _check_known(self.extra)
        local = node_id in self.local_nodes
        runner = self.direct if local else getattr(self, self.runner)
        return [*runner.options(), *self.extra]


def _given(option: str, value: object) -> list[str]:
    return [f"--{option}={value}"] if value else []


def _check_known(options: Sequence[str]) -> None:
    """Stops at an option that Beam would only warn about, somewhere in a log, and then ignore."""
    from apache_beam.options.pipeline_options import PipelineOptions

    known = set(PipelineOptions([]).get_all_options())
    complaints = io.StringIO()
    for option in options:
        try:
            with contextlib.redirect_stderr(complaints):
                found = PipelineOptions([option]).get_all_options(retain_unknown_options=True)
        except SystemExit:  # argparse: a value that is no choice, or none at all
            reason = complaints.getvalue().strip().rpartition("error: ")[2]
            raise UserError(f"beam.extra: {option}: {reason}") from None
        for name in set(found) - known:
            hint = did_you_mean(name, known)
            raise UserError(f"beam.extra: Apache Beam has no option --{name}{hint}")

"""The block `beam`: what it gives Beam, and how mistakes are told."""

import itertools
import sys

import pytest

from pipeline.beam_config import BeamSettings
from pipeline.config import RecipeError, load_recipe

POOL = {"worker_pool": "localhost:50000"}
CHOICES = {
    "direct": {},
    "direct, processes": {"direct": {"mode": "multi_processing", "workers": 4}},
    "direct, a process per core": {"direct": {"mode": "multi_processing"}},
    "flink": {
        "runner": "flink",
        "flink": {"master": "flink:8081", "version": "1.19", "parallelism": 8} | POOL,
    },
    "flink, job server": {
        "runner": "flink",
        "flink": {"job_endpoint": "jobs:8099", "worker_image": "graft:1"},
    },
    "spark": {"runner": "spark", "spark": {"job_endpoint": "jobs:8099"} | POOL},
    "dask": {
        "runner": "dask",
        "dask": {"scheduler": "tcp://dask:8786", "shared_folder": "/mnt/shared/graft"},
    },
}


def test_by_default_beam_runs_in_the_process_of_the_node():
    assert BeamSettings().pipeline_args() == [
        "--runner=FnApiRunner",
        "--direct_running_mode=in_memory",
        "--direct_num_workers=1",
        "--sdk_container_image=none",
    ]


@pytest.mark.parametrize("choice", CHOICES)
def test_tfx_does_not_pack_itself_up_for_workers_that_have_it(choice, monkeypatch):
    from tfx.utils import dependency_utils

    args = BeamSettings(**CHOICES[choice]).pipeline_args()
    monkeypatch.setattr(dependency_utils, "build_ephemeral_package", lambda: "packed.tar.gz")
    assert dependency_utils.make_beam_dependency_flags(args) == args


@pytest.mark.parametrize("choice", CHOICES)
def test_beam_knows_every_option_and_takes_its_value(choice):
    from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
    from apache_beam.runners.runner import create_runner

    if choice == "dask":
        pytest.importorskip("distributed", reason="skipped: the extra `dask` is missing")
    args = BeamSettings(**CHOICES[choice]).pipeline_args()
    options = PipelineOptions(args)
    known = set(PipelineOptions([]).get_all_options())
    assert set(options.get_all_options(retain_unknown_options=True)) == known
    assert all("=" in arg for arg in args), "and none is empty"
    runner = options.view_as(StandardOptions).runner
    assert type(create_runner(runner)).__name__ == runner.rpartition(".")[2]


def test_what_each_runner_gets():
    from apache_beam.options import pipeline_options

    def options(choice, view):
        args = BeamSettings(**CHOICES[choice]).pipeline_args()
        return pipeline_options.PipelineOptions(args).view_as(view)

    processes = options("direct, processes", pipeline_options.DirectOptions)
    assert processes.direct_running_mode == "multi_processing"
    assert processes.direct_num_workers == 4
    assert BeamSettings(direct={"workers": 1}).pipeline_args() == BeamSettings().pipeline_args()
    per_core = options("direct, a process per core", pipeline_options.DirectOptions)
    assert per_core.direct_num_workers == 0, "to Beam, one per core"

    flink = options("flink", pipeline_options.FlinkRunnerOptions)
    assert (flink.flink_master, flink.flink_version, flink.parallelism) == ("flink:8081", "1.19", 8)
    pool = options("flink", pipeline_options.PortableOptions)
    assert (pool.environment_type, pool.environment_config) == ("EXTERNAL", "localhost:50000")
    assert pool.job_endpoint is None
    image = options("flink, job server", pipeline_options.PortableOptions)
    assert (image.environment_type, image.environment_config) == ("DOCKER", "graft:1")
    assert image.job_endpoint == "jobs:8099"
    spark = options("spark", pipeline_options.PortableOptions)
    assert (spark.job_endpoint, spark.environment_type) == ("jobs:8099", "EXTERNAL")


def test_dask_gets_the_node_that_decodes_pictures_and_no_other():
    dask = BeamSettings(**CHOICES["dask"])
    assert dask.pipeline_args("ImageExampleGen") == [
        "--runner=apache_beam.runners.dask.dask_runner.DaskRunner",
        "--dask_client_address=tcp://dask:8786",
        "--dask_partition_size=1",
        "--temp_location=/mnt/shared/graft",
        "--sdk_container_image=none",
    ]
    assert dask.local_nodes == ("StatisticsGen", "Transform", "Evaluator")
    for node in dask.local_nodes:
        assert dask.pipeline_args(node) == BeamSettings().pipeline_args(node)
    assert BeamSettings().local_nodes == ()


@pytest.mark.parametrize("given", [{"version": "2.0"}, {"parallelism": 3}, {}])
def test_what_is_not_said_of_flink_is_left_to_beam_and_the_cluster(given):
    flink = {"master": "flink:8081", **given, **POOL}
    args = BeamSettings(runner="flink", flink=flink).pipeline_args()
    names = {"version": "flink_version", "parallelism": "parallelism"}
    assert args[2:-3] == [f"--{names[key]}={value}" for key, value in given.items()]


@pytest.mark.slow
def test_functions_run_where_the_settings_say():
    from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions
    from apache_beam.transforms.environments import Environment

    def environment(choice):
        options = PipelineOptions(BeamSettings(**CHOICES[choice]).pipeline_args())
        return Environment.from_options(options.view_as(PortableOptions))

    assert environment("flink, job server").container_image == "graft:1"
    # Beam's gRPC address of the pool, as the job server hands it to the cluster's workers.
    _, payload = environment("spark").to_runner_api_parameter(None)
    assert payload.endpoint.url == "localhost:50000"


def test_a_runner_can_be_changed_without_losing_the_blocks_of_the_others():
    overrides = ["beam.flink.worker_pool=localhost:50000", "beam.flink.master=flink:8081"]
    assert load_recipe("digits", overrides).beam.runner == "direct"
    changed = load_recipe("digits", [*overrides, "beam.runner=flink"])
    assert changed.beam.pipeline_args()[0] == "--runner=FlinkRunner"


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["beam.runner=flnk"], "beam.runner: input should be 'direct', 'flink', 'spark' or"),
        (["beam.direct.worker=2"], "beam.direct.worker: unknown key (did you mean `workers`?)"),
        (
            ["beam.direct.workers=2"],
            "beam.direct: in_memory is one process, not 2: set mode to multi_processing",
        ),
        (["beam.direct.workers=0"], "beam.direct.workers: input should be greater"),
        (
            ["beam.runner=flink"],
            "beam: runner is flink, so in beam.flink set either master (host:port of the "
            "JobManager) or job_endpoint (host:port)",
        ),
        (
            [
                "beam.runner=flink",
                "beam.flink={master: flink:8081, job_endpoint: jobs:8099, worker_image: graft:1}",
            ],
            "in beam.flink set either master (host:port of the JobManager) or job_endpoint",
        ),
        (
            ["beam.runner=flink", "beam.flink.master=flink:8081"],
            "in beam.flink set either worker_pool (host:port) or worker_image",
        ),
        (["beam.flink.master=flink"], "beam.flink.master: string should match pattern"),
        (["beam.flink.worker_pool=pool"], "beam.flink.worker_pool: string should match pattern"),
        (["beam.spark.job_endpoint=jobs"], "beam.spark.job_endpoint: string should match pattern"),
        (
            ["beam.runner=spark", "beam.spark.worker_pool=localhost:50000"],
            "in beam.spark set job_endpoint (host:port of Beam's Spark job server)",
        ),
        (["beam.runner=dask"], "in beam.dask set scheduler (as tcp://dask-scheduler:8786)"),
        (
            ["beam.runner=dask", "beam.dask.shared_folder=/mnt/shared"],
            "in beam.dask set scheduler (as tcp://dask-scheduler:8786)",
        ),
        (["beam.dask.scheduler=dask:8786"], "beam.dask.scheduler: string should match pattern"),
        (["beam.extra=[experiments=x]"], "beam.extra: write --option=value or --option, not 'exp"),
        (["beam.extra=[-experiments=x]"], "beam.extra: write --option=value or --option, not '-ex"),
        (["beam.extra=[--runner=Prism]"], "--runner is what beam.runner and its block say"),
        (["beam.extra=[--s3_secret_access_key=x]"], "would put a secret into packages and logs"),
    ],
)
def test_a_mistake_names_its_key_and_what_would_be_right(overrides, says):
    with pytest.raises(RecipeError) as error:
        load_recipe("digits", overrides)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--paralelism=2", "has no option --paralelism (did you mean `parallelism`?)"),
        (
            "--parallelism=two",
            "--parallelism=two: argument --parallelism: invalid int value: 'two'",
        ),
        ("--parallelism", "expected one argument"),
    ],
)
def test_an_option_that_beam_would_ignore_is_told(option, says):
    beam = load_recipe("digits", [f"beam.extra=[{option}]"]).beam
    with pytest.raises(ValueError, match=r"^beam\.extra: ") as error:
        beam.pipeline_args()
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_further_options_come_last():
    extra = ("--number_of_worker_harness_threads=2", "--experiments=state_cache_size=100")
    assert BeamSettings(extra=extra).pipeline_args()[-2:] == list(extra)


def test_a_run_whose_workers_could_not_read_its_files_does_not_start():
    for name in ("flink", "spark"):
        beam = BeamSettings(**CHOICES[name])
        beam.check_reach(in_cluster=False)
        with pytest.raises(ValueError, match=rf"workers of {name} cannot read them; use direct"):
            beam.check_reach(in_cluster=True)
    BeamSettings(**CHOICES["direct, processes"]).check_reach(in_cluster=True)
    BeamSettings(**CHOICES["dask"]).check_reach(in_cluster=True)
    alone = BeamSettings(runner="dask", dask={"scheduler": "tcp://dask:8786"})
    alone.check_reach(in_cluster=False)
    with pytest.raises(
        ValueError, match=r"^beam\.dask\.shared_folder: .* name a folder on a claim"
    ):
        alone.check_reach(in_cluster=True)


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (
            ["beam.runner=spark", "beam.spark.job_endpoint=jobs:8099"],
            "in beam.spark set either worker_pool (host:port) or worker_image",
        ),
        (
            ["beam.runner=spark", "beam.spark={job_endpoint: jobs:8099, worker_image: graft:1, "
             "worker_pool: localhost:50000}"],
            "in beam.spark set either worker_pool (host:port) or worker_image",
        ),
        (["beam.extra=[--direct_num_workers=2]"], "--direct_num_workers is what beam.runner and"),
        (["beam.extra=[--direct_running_mode=x]"], "--direct_running_mode is what beam.runner"),
        (["beam.extra=['--two words=x']"], "write --option=value or --option, not '--two words=x'"),
        (["beam.extra=[--parallelism=2, --my_passwd]"], "--my_passwd would put a secret into"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_second_place_is_found_too(overrides, says):
    with pytest.raises(RecipeError) as error:
        load_recipe("digits", overrides)
    assert says in str(error.value)


@pytest.mark.parametrize("choice", ["direct", "spark"])
@pytest.mark.parametrize("extra", itertools.permutations(("--parallelism=2", "--paralelism=2")))
def test_every_further_option_is_looked_at_whoever_runs(choice, extra):
    beam = BeamSettings(extra=extra, **CHOICES[choice])
    with pytest.raises(ValueError, match="has no option --paralelism"):
        beam.pipeline_args("Transform")


def test_the_value_of_an_option_is_no_part_of_its_name():
    assert BeamSettings(extra=("--experiments=my_password",)).extra
    assert BeamSettings(extra=("--job_name=two words",)).extra


def test_a_shared_folder_that_depends_on_where_one_stands_is_not_shared():
    dask = BeamSettings(
        runner="dask", dask={"scheduler": "tcp://dask:8786", "shared_folder": "shared"}
    )
    with pytest.raises(ValueError, match=r"^beam\.dask\.shared_folder: "):
        dask.check_reach(in_cluster=True)


@pytest.mark.parametrize(("choice", "needs_dask"), [("dask", True), ("direct", False)])
def test_beam_learns_the_options_of_dask_where_it_is_to_have_them(monkeypatch, choice, needs_dask):
    name, asked = "apache_beam.runners.dask.dask_runner", []

    class NotInstalled:
        """Finds nothing, as where the extra `dask` is missing, and notes that it was looked for."""

        def find_spec(self, module, *_):
            if module == name:
                asked.append(module)
                raise ImportError(module)

    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [NotInstalled(), *sys.meta_path])
    assert BeamSettings(**CHOICES[choice]).pipeline_args()
    assert asked == [name] * needs_dask

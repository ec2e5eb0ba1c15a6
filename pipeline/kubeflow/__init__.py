"""Running a recipe on open-source Kubeflow Pipelines v2."""

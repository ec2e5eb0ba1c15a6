#!/usr/bin/env bash
# image.sh IMAGE VARIANT: writes what the image will hold to build/, and prints how to build and push it.
# Nothing is built here: Graft needs no container engine, and this machine may have none.
set -euo pipefail
cd "$(dirname "$0")/.."
image=${1:?} variant=${2:?}
case $variant in cpu | gpu) ;; *) echo "VARIANT=$variant: cpu or gpu" >&2; exit 2 ;; esac
case ${image##*/} in *:*) ;; *) echo "IMAGE=$image: give it a tag that stays, as registry.example.com/graft:0.1.0" >&2; exit 2 ;; esac
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
base=python:3.11-slim-trixie
mkdir -p build
python3 tools/sbom.py "requirements/image-$variant.txt" > "build/image-$variant.cdx.json"
arguments="-f kubeflow/Dockerfile --build-arg BASE=\$BASE --build-arg VARIANT=$variant --build-arg REVISION=$revision -t $image ."
cat <<EOF
What it will hold (CycloneDX): build/image-$variant.cdx.json

With Docker:
    BASE=$base@\$(docker buildx imagetools inspect $base --format '{{.Manifest.Digest}}')
    docker build $arguments
    docker push $image
    docker image inspect --format '{{index .RepoDigests 0}}' $image > build/image-$variant.digest

With Buildah, which needs neither a daemon nor root:
    BASE=$base@\$(skopeo inspect --format '{{.Digest}}' docker://$base)
    buildah build $arguments
    buildah push --digestfile build/image-$variant.digest $image

Name the image in the recipe by that digest, as in kubeflow.image: ${image%:*}@sha256:…
EOF

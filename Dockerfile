# The kit and its locked environment. The default command shows the accepted verdicts; any other is run as given:
#     docker build -t stellar-repro .
#     docker run --rm stellar-repro                                       # the verdicts on the evidence in git
#     docker run --rm --gpus all -v stellar-repro:/kit/.dvc/cache stellar-repro dvc repro trackC
# A GPU needs only the host's driver: torch brings its own CUDA libraries.
ARG BASE_IMAGE=python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b
FROM ${BASE_IMAGE}

LABEL org.opencontainers.image.title="stellar-repro" \
      org.opencontainers.image.description="Reproducibility kit for six paper tracks on stellar surface gravity" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="python:3.11-slim-bookworm"

# git: DVC works inside a repository; libgomp1: LightGBM's wheel does not bring it; make: the documented commands.
# Their versions are Debian's of the day: they shape no result.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends git libgomp1 make \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 1000 kit \
 && mkdir /kit && chown kit:kit /kit \
 && git config --system --add safe.directory /kit

USER 1000
WORKDIR /kit

# packages first: this layer stays while only code changes
COPY --chown=kit:kit requirements requirements
ARG TORCH_LOCK=torch
RUN python -m venv .venv \
 && .venv/bin/python -m pip install --no-cache-dir --require-hashes -r requirements/installer.lock \
 && UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 .venv/bin/uv pip install --python .venv/bin/python \
      --require-hashes -r requirements/base.lock -r "requirements/${TORCH_LOCK}.lock"

# the whole working tree with its history: `dvc exp run` needs a commit. A volume mounted on the cache inherits its owner.
COPY --chown=kit:kit . .
RUN .venv/bin/uv pip install --python .venv/bin/python --no-cache --offline --no-deps --no-build-isolation -e . \
 && mkdir -p .dvc/cache

ENV PATH=/kit/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

HEALTHCHECK --interval=5m --timeout=60s CMD ["repro", "doctor"]
ENTRYPOINT ["/kit/.ci/entrypoint"]
CMD ["repro", "verify", "--accepted"]

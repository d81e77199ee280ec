"""Source `bosz` as the parameters describe it."""

from repro.params import Params
from repro.sources.bosz.settings import Settings


def bosz_settings(params: Params) -> Settings:
    """Settings of source `bosz`. Raises ParameterError where the release has no such files."""
    bosz = params.bosz
    return Settings(
        release=bosz.release,
        base_url=bosz.base_url or None,
        resolution=bosz.resolution,
        microturbulence=params.nodes.microturbulence,
        connections=bosz.connections,
        timeout=bosz.timeout,
    )

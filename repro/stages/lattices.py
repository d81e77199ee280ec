"""The two node lattices that the parameters ask for."""

from pathlib import Path

from repro.labels import LABELS
from repro.params import Params
from repro.spectra.lattice import Lattice
from repro.stages.paths import NODES_3D, NODES_5D


def lattices_of(params: Params) -> dict[Path, Lattice]:
    """The lattice of each node grid file: 3D at solar alpha and carbon, and all five labels."""
    nodes, size = params.nodes, params.size
    axes_3d = (nodes.T_eff, nodes.log_g, nodes.M_H, (0.0,), (0.0,))
    axes_5d = (size.T_eff, nodes.log_g, size.M_H, size.a_M, size.C_M)
    return {
        NODES_3D: Lattice(dict(zip(LABELS, axes_3d, strict=True))),
        NODES_5D: Lattice(dict(zip(LABELS, axes_5d, strict=True))),
    }

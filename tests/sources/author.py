"""Files of the original layout, written as the simulator pfsspec writes them, without the kit's own writer."""

import h5py
import numpy as np
import pandas as pd

N_PIXELS = 4096
CENTRES = 7100.0 + 0.42724609375 * (np.arange(N_PIXELS) + 0.5)
EDGES = 7100.0 + 0.42724609375 * np.arange(N_PIXELS + 1)


def spectra(n, seed=1):
    """Flux with a median of 0.5 and error, (n, 4096) float64 each."""
    rng = np.random.default_rng(seed)
    flux = 1.0 + 0.3 * rng.standard_normal((n, N_PIXELS)).clip(-3, 3)
    flux *= 0.5 / np.median(flux, axis=1, keepdims=True)
    return flux, rng.uniform(0.01, 0.1, (n, N_PIXELS))


def params(n, seed=1):
    """The label table, one column more than the kit knows."""
    rng = np.random.default_rng(seed)
    axis = np.array(["M_H", "T_eff", "log_g", "C_M", "a_M"])[rng.integers(0, 5, n)]
    columns = {
        "id": np.arange(n),
        "redshift": 0.0,
        "redshift_err": np.nan,
        "exp_count": 12,
        "exp_time": 900.0,
        "seeing": rng.uniform(0.5, 1.5, n),
        "ext": 0.0,
        "target_zenith_angle": rng.uniform(0, 45, n),
        "target_field_angle": rng.uniform(0, 0.65, n),
        "moon_zenith_angle": rng.uniform(30, 90, n),
        "moon_target_angle": rng.uniform(60, 180, n),
        "moon_phase": 0.0,
        "snr": rng.uniform(5, 40, n),
        "mag": rng.uniform(20.5, 22.5, n),
        "random_seed": rng.integers(0, 2**32, n),
        "M_H": rng.uniform(-2.5, 0.75, n),
        "M_H_err": np.nan,
        "T_eff": rng.uniform(3750, 6000, n),
        "log_g": rng.uniform(1, 5, n),
        "a_M": rng.uniform(-0.25, 0.5, n),
        "C_M": rng.uniform(-0.75, 0.5, n),
        "label_of_the_user": rng.uniform(0, 1, n),
        "interp_param": axis,
    }
    return pd.DataFrame(columns, index=np.arange(n))


def write(path, n=8, *, seed=1, frame=None, arrays=None, edges=EDGES, dtype="f8", mask="i8", **to_hdf):
    """Write a file; `to_hdf` goes to pandas, `arrays` replaces or adds arrays (None leaves one out)."""
    flux, error = spectra(n, seed)
    contents = {"flux": flux, "error": error, "mask": np.zeros((n, N_PIXELS), mask), **(arrays or {})}
    frame = params(n, seed) if frame is None else frame
    if frame is not False:
        frame.to_hdf(path, key="dataset/params", **{"mode": "w", "format": "table", **to_hdf})
    with h5py.File(path, "a") as file:
        file["spectrumdataset/wave"] = CENTRES.astype(dtype)
        if edges is not None:
            file["spectrumdataset/wave_edges"] = edges.astype(dtype)
        for name, values in contents.items():
            if values is not None:
                floats = values.dtype.kind == "f"
                file[f"dataset/arrays/{name}/value"] = values.astype(dtype) if floats else values
    return path


def change(path, edit):
    """Let `edit` change the open file."""
    with h5py.File(path, "r+") as file:
        edit(file)
    return path

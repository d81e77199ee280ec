"""Names, columns and constants of the original files, as the public simulator writes them.

The simulator is pfsspec (https://github.com/Subaru-PFS-GA/ga_pfsspec_core: `Dataset`, `SpectrumDataset`, `PfsObject`):
arrays by h5py, label table by `DataFrame.to_hdf(path, "dataset/params", format="table")`.
"""

from typing import Any, Final

WAVE: Final = "spectrumdataset/wave"  # (4096,) pixel centres [A, vacuum]
WAVE_EDGES: Final = "spectrumdataset/wave_edges"  # (4097,), or (2, 4096): lower and upper edges
FLUX: Final = "dataset/arrays/flux/value"  # (N, 4096) noise-free, median 0.5
ERROR: Final = "dataset/arrays/error/value"  # (N, 4096) 1 sigma
MASK: Final = "dataset/arrays/mask/value"  # (N, 4096) integer flags, 0 = good
NOISY: Final = "dataset/arrays/noisy/value"  # (N, 4096) in files with one draw of noise
PARAMS: Final = "dataset/params"  # pandas DataFrame of format "table"
TABLE: Final = "dataset/params/table"  # its records

NAN: Final = float("nan")

# The columns of the label table in their order, each with the value of those that never vary; None: varies.
# fiberid and cont_fit have no documented value and no reader.
COLUMNS: Final[dict[str, Any]] = {
    "id": None,
    "redshift": 0.0,
    "redshift_err": NAN,
    "exp_count": 12,
    "exp_time": 900.0,
    "seeing": None,
    "ext": 0.0,
    "target_zenith_angle": None,
    "target_field_angle": None,
    "moon_zenith_angle": None,
    "moon_target_angle": None,
    "moon_phase": None,
    "snr": None,
    "mag": None,
    "fiberid": NAN,
    "cont_fit": NAN,
    "random_seed": None,
    "Fe_H": NAN,
    "Fe_H_err": NAN,
    "M_H": None,
    "M_H_err": NAN,
    "a_M": None,
    "a_M_err": NAN,
    "C_M": None,
    "C_M_err": NAN,
    "O_M": NAN,
    "O_M_err": NAN,
    "T_eff": None,
    "T_eff_err": NAN,
    "log_g": None,
    "log_g_err": NAN,
    "N_He": NAN,
    "v_turb": NAN,
    "L_H": NAN,
    "interp_param": None,
}

# Observing conditions of the Fisher grids; the magnitude is that of the file.
FISHER_CONDITIONS: Final = {"target_zenith_angle": 22.5, "target_field_angle": 0.325, "seeing": 1.0, "moon_phase": 0.0}

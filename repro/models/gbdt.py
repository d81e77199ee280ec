"""Gradient-boosted trees from spectra to one label: LightGBM (Ke et al. 2017, NeurIPS 30), its bins built once.

A tree never sees flux but the bin of each pixel that it falls in, and to sort spectra into bins costs as much as many
trees. `Bins` keeps them for any number of fits with other rates, leaves, labels or seeds, or with fewer spectra.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, Self

import lightgbm
import numpy as np
import torch
from numpy.typing import NDArray

from repro.errors import DataError, ParameterError
from repro.files import atomic_path
from repro.models.protocol import Array
from repro.progress import Report, silent
from repro.training.spectra import Source, Validation, as_source

BINS: Final = 63  # of a pixel: 255, the library's own number, takes 1.5 to 3 times as long and R2 agrees within seeds
EDGES: Final = 1000  # spectra whose quantiles are the edges of the bins: small and large training sets share them
LEAST: Final = 20  # spectra of a leaf, the library's own number, as published

_ROWS: Final = 512  # spectra read at a time: 8 MB of float32
_HEADER: Final = "tree\nversion="  # of LightGBM's text
_END: Final = "end of parameters"


class Bins:
    """Training spectra as the bins of their pixels, a byte each, for any number of fits.

    Args:
        flux: noisy flux (n, P), or a source, of which presentation 0 is read once, block by block.
        bins: of a pixel, at most; the first `EDGES` spectra fill them equally.

    Attributes:
        shape: number of spectra and of pixels.

    Raises:
        DataError: an array that is not of two dimensions or not finite.
        ParameterError: less than 2 bins, or more than a byte can tell apart.
    """

    def __init__(self, flux: Array | Source, *, bins: int = BINS) -> None:
        if not 2 <= bins <= 255:
            raise ParameterError(f"gbdt: bins = {bins} must lie in 2 to 255")
        source = as_source(flux)
        self.shape = source.shape
        # bundles are for pixels that are mostly zero, and to look for them takes as long as the bins themselves
        self.settings = {"max_bin": bins, "enable_bundle": False, "feature_pre_filter": False, "verbosity": -1}
        rows = _Rows(source)
        edges = self._dataset(rows[:EDGES], None)
        self._whole = self.dataset = edges if len(rows) <= EDGES else self._dataset(rows, edges)
        self._shown: tuple[Array, lightgbm.Dataset] | None = None

    def first(self, n: int) -> "Bins":
        """Those of the first n spectra, which would have the same edges if they were sorted alone.

        Raises:
            DataError: there are fewer spectra, or the edges are not those of n spectra.
        """
        if n == self.shape[0]:
            return self
        if not EDGES <= n < self.shape[0]:
            raise DataError(f"gbdt: bins of {self.shape[0]} spectra hold those of {EDGES} and more of them, not of {n}")
        part = object.__new__(Bins)
        part.__dict__ |= self.__dict__
        part.shape = n, self.shape[1]
        part.dataset = self._whole.subset(list(range(n))).construct()
        return part

    def shown(self, flux: Array) -> lightgbm.Dataset:
        """Validation spectra (n, P) in the same bins; those of the last call are kept."""
        if self._shown is None or self._shown[0] is not flux:
            self._shown = flux, self._dataset(np.asarray(flux, dtype=np.float32), self._whole)
        return self._shown[1]

    def _dataset(self, rows: "Array | _Rows", edges: lightgbm.Dataset | None) -> lightgbm.Dataset:
        label = np.zeros(len(rows))  # each fit sets its own
        return lightgbm.Dataset(rows, label, reference=edges, params=dict(self.settings)).construct()


class _Rows(lightgbm.Sequence):
    """Presentation 0 of a source as LightGBM reads it, a block at a time."""

    batch_size = _ROWS

    def __init__(self, source: Source) -> None:
        self._source = source

    def __len__(self) -> int:
        return self._source.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:  # type: ignore[override] # it is never asked for others
        block = self._source.block(torch.arange(*rows.indices(len(self))), 0)
        return np.ascontiguousarray(block.cpu().numpy(), dtype=np.float32)


class Gbdt:
    """Boosted trees that minimise squared errors, their number chosen by validation; the same on any number of threads.

    Trees do not care for units: a growing function of a pixel, the same for all spectra, changes its bins alone.

    Args:
        trees: at most.
        rate: learning rate.
        leaves: of a tree, at most.
        share: of the pixels, drawn anew for each tree.
        patience: trees without a lower validation loss that end the training.
        bins: of a pixel, where spectra are not handed over as `Bins`.
        seed: of the draws of pixels.
        report: progress of a training, in trees.

    Attributes:
        best: number of trees: that of the lowest validation loss, later ones are dropped; without validation all.
        losses: mean squared validation error by number of trees, dropped ones included; empty without validation.

    Raises:
        ParameterError: a setting out of range.
    """

    uses_error = False
    suffix: Final = ".txt"

    def __init__(
        self,
        trees: int = 5000,
        rate: float = 0.05,
        leaves: int = 31,
        *,
        share: float = 0.8,
        patience: int = 50,
        bins: int = BINS,
        seed: int = 0,
        report: Report = silent,
    ) -> None:
        if not (trees >= 1 and patience >= 1 and leaves >= 2 and rate > 0 and 0 < share <= 1):
            raise ParameterError(
                f"gbdt: trees = {trees} and patience = {patience} must be at least 1, leaves = {leaves} at least 2,"
                f" rate = {rate:g} positive, share = {share:g} in 0 to 1"
            )
        self.trees, self.patience, self.bins = trees, patience, bins
        self.settings: dict[str, Any] = {
            "objective": "regression",
            "learning_rate": rate,
            "num_leaves": leaves,
            "min_data_in_leaf": LEAST,
            "feature_fraction": share,
            "seed": seed,
            "deterministic": True,
            "force_col_wise": True,  # otherwise the faster of two orders of summation is found by trial
        }
        self.best = 0
        self.losses: NDArray[np.float64] = np.zeros(0)
        self._report = report
        self._booster: lightgbm.Booster | None = None

    def fit(
        self,
        flux: Array | Source | Bins,
        y: Array,
        *,
        error: Array | None = None,
        validation: Validation | None = None,
    ) -> Self:
        """Learn y (n,) from noisy flux (n, P), from presentation 0 of a source, or from spectra sorted before.

        Args:
            error: not used.
            validation: spectra by which the number of trees is chosen; without them all trees are grown.

        Raises:
            DataError: shapes that do not fit, or values that are not finite.
        """
        bins = flux if isinstance(flux, Bins) else Bins(flux, bins=self.bins)
        bins.dataset.set_label(_checked("y", y, bins.shape[0]))
        history: dict[str, dict[str, list[float]]] = {}
        callbacks: list[Callable[..., None]] = [self._told]
        shown = []
        if validation is not None:
            _check_flux(validation.flux, bins.shape[1])
            label = _checked("y of the validation spectra", validation.y, len(validation.flux))
            shown = [bins.shown(validation.flux).set_label(label)]
            stop = lightgbm.early_stopping(self.patience, verbose=False)
            callbacks += [lightgbm.record_evaluation(history), stop]
        self._booster = lightgbm.train(
            bins.settings | self.settings, bins.dataset, self.trees, valid_sets=shown, callbacks=callbacks
        )
        self.losses = np.array(history["valid_0"]["l2"]) if history else np.zeros(0)
        self.best = int(np.argmin(self.losses)) + 1 if history else self._booster.current_iteration()
        return self

    def predict(self, flux: Array, *, error: Array | None = None, trees: int | None = None) -> NDArray[np.float64]:
        """Estimates (n,) from noisy flux (n, P) by the first `trees` trees, `best` by default; `error` is not used.

        Raises:
            DataError: the model was not fitted, or to another number of pixels.
            ParameterError: there are fewer trees.
        """
        booster, wanted = self._fitted(), self.best if trees is None else trees
        if not 1 <= wanted <= self.best:
            raise ParameterError(f"gbdt: {wanted} trees are wanted of {self.best}")
        _check_flux(flux, booster.num_feature())
        return np.asarray(booster.predict(np.asarray(flux), num_iteration=wanted))

    def importance(self, kind: Literal["gain", "split"] = "gain") -> NDArray[np.float64]:
        """By how much splits at each pixel lowered the summed squared error, or their number, in all trees; (P,).

        Raises:
            DataError: the model was not fitted.
        """
        values = self._fitted().feature_importance(kind)
        return np.asarray(values, dtype=np.float64)

    def save(self, path: str | Path) -> None:
        """Write the trees as LightGBM's text; the same model gives the same bytes.

        Raises:
            DataError: the model was not fitted, or the disk is full.
        """
        text = self._fitted().model_to_string()
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")

    @classmethod
    def load(cls, path: str | Path) -> "Gbdt":
        """Read a model for prediction. Raises DataError where the file is none."""
        try:
            text = Path(path).read_text(encoding="utf-8")
            if not (text.startswith(_HEADER) and _END in text):
                raise ValueError("its text has another start or no end")
            booster = lightgbm.Booster(model_str=text)
        except (OSError, ValueError, lightgbm.basic.LightGBMError) as error:
            raise DataError(f"{path}: not a stored gbdt model ({error}); remove it and run again") from None
        model = cls(trees=booster.current_iteration())
        model._booster, model.best = booster, booster.current_iteration()
        return model

    def _told(self, step: Any) -> None:
        self._report(step.iteration + 1, self.trees)

    def _fitted(self) -> lightgbm.Booster:
        if self._booster is None:
            raise DataError("gbdt: not fitted")
        return self._booster


def _checked(name: str, values: Array, count: int) -> NDArray[np.float64]:
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise DataError(f"gbdt: {name} must hold {count} finite numbers; it has shape {numbers.shape}")
    return numbers


def _check_flux(flux: Array, pixels: int) -> None:
    if flux.ndim != 2 or flux.shape[1] != pixels:
        raise DataError(f"gbdt: fitted to {pixels} pixels, asked about an array of shape {flux.shape}")
    if not np.isfinite(flux).all():
        raise DataError("gbdt: flux must be finite")

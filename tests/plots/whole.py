"""What figures are checked for beside their page: nothing that is drawn leaves its axes."""

import numpy as np
from matplotlib.container import ErrorbarContainer


def nothing_is_cut(figure):
    """Every point and the ends of every bar stand inside the axes."""
    for axes in figure.axes:
        bars = [c for c in axes.containers if isinstance(c, ErrorbarContainer)]
        ends = [segment for c in bars for lines in c.lines[2] for segment in lines.get_segments() if len(segment)]
        for axis, limits in ((0, axes.get_xlim()), (1, axes.get_ylim())):
            low, high = sorted(limits)
            for line in axes.lines:
                if line.get_transform() == axes.transData:
                    values = np.asarray(line.get_xydata()[:, axis], dtype=float)
                    values = values[np.isfinite(values)]
                    assert not values.size or (values.min() >= low and values.max() <= high)
            for segment in ends:
                assert segment[:, axis].min() >= low and segment[:, axis].max() <= high


def words(figure):
    """All text of a figure's panels but titles and labels."""
    return [text.get_text() for axes in figure.axes for text in axes.texts]
